//! The measures behind [`Quality`], on the photo and on the crop.

use image::GrayImage;

use super::Quality;
use crate::face::crop::{SIDE, natural_crop};
use crate::face::{Face, FaceCrop};

/// Measures the quality of a face and its crop.
pub fn measure_quality(luma: &GrayImage, face: &Face, crop: &FaceCrop) -> Quality {
    let pixels = crop.pixels();
    let within = |half: [f32; 2]| -> Vec<u8> {
        (0..pixels.len()).filter(|at| is_within(half, at % SIDE, at / SIDE)).map(|at| pixels[at]).collect()
    };
    let natural = natural_crop(luma, &face.frame);
    let cells = light(pixels);
    Quality {
        side: face.frame.side,
        outside: outside(luma, face),
        emptiness: emptiness(pixels),
        yaw: yaw(&face.landmarks),
        seen: None,
        highlights: exceeded_by_a_fiftieth(pixels),
        face_highlights: exceeded_by_a_fiftieth(&within(FACE)),
        asymmetry: asymmetry(&cells),
        light_range: light_range(&cells),
        white: white(&within(CENTRE)),
        blur: blur(&natural),
        noise: noise(&natural),
    }
}

/// Half the width and the height, in sides of the crop, of ellipses: from brow to chin and from cheek to cheek; without
/// the edges, where hair and background are if the head is turned a little; what is skin on nearly every face.
const FACE: [f32; 2] = [0.34, 0.44];
const SKIN: [f32; 2] = [0.28, 0.4];
const CENTRE: [f32; 2] = [0.22, 0.3];

/// Whether a pixel of the crop is in one of these ellipses.
fn is_within([across, down]: [f32; 2], x: usize, y: usize) -> bool {
    let unit = |at: usize| (at as f32 + 0.5) / SIDE as f32 - 0.5;
    (unit(x) / across).powi(2) + ((unit(y) - 0.03) / down).powi(2) < 1.0
}

/// Share of the frame outside the photo, sampled on a grid: exact to a few percent at any roll.
fn outside(luma: &GrayImage, face: &Face) -> f32 {
    const GRID: usize = 16;
    let (width, height) = (luma.width() as f32, luma.height() as f32);
    let at = |index: usize| (index as f32 + 0.5) / GRID as f32 - 0.5;
    let to_photo = face.frame.mapping();
    let points = (0..GRID * GRID).map(|index| to_photo(at(index % GRID), at(index / GRID)));
    let outside = points.filter(|&(x, y)| x < 0.0 || y < 0.0 || x >= width || y >= height).count();
    outside as f32 / (GRID * GRID) as f32
}

fn yaw([right_eye, left_eye, nose, ..]: &[[f32; 2]; 5]) -> f32 {
    let (dx, dy) = (left_eye[0] - right_eye[0], left_eye[1] - right_eye[1]);
    let square = (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
    let from_middle = [nose[0] - (right_eye[0] + left_eye[0]) / 2.0, nose[1] - (right_eye[1] + left_eye[1]) / 2.0];
    ((from_middle[0] * dx + from_middle[1] * dy) / square).abs()
}

/// [`Quality::emptiness`]: the crop without its margin in 7×7 blocks of 16×16 pixels; a strip is two blocks wide.
fn emptiness(pixels: &[u8]) -> f32 {
    const MARGIN: usize = 8;
    const BLOCK: usize = 16;
    const BLOCKS: usize = (SIDE - 2 * MARGIN) / BLOCK;
    const STRIP: usize = 2;
    let start = |block: usize| MARGIN + block * BLOCK;
    let contrast = |column: usize, row: usize| {
        let rows = start(row)..start(row) + BLOCK;
        let block = rows.flat_map(|y| pixels[y * SIDE + start(column)..][..BLOCK].iter().copied());
        let (mean, deviation) = mean_and_deviation(block);
        // Relative to the block's own light, so that a half in the dark is not empty. The constants keep noise
        // and black from being a contrast.
        (deviation + 1.0) / (mean + 5.0)
    };
    let mut all = Vec::with_capacity(BLOCKS * BLOCKS);
    let mut highest = [0.0f32; 4];
    for (column, row) in (0..BLOCKS).flat_map(|row| (0..BLOCKS).map(move |column| (column, row))) {
        let contrast = contrast(column, row);
        all.push(contrast);
        let strips = [row < STRIP, row >= BLOCKS - STRIP, column < STRIP, column >= BLOCKS - STRIP];
        for (highest, _) in highest.iter_mut().zip(strips).filter(|(_, is_inside)| *is_inside) {
            *highest = highest.max(contrast);
        }
    }
    let (_, median, _) = all.select_nth_unstable_by(BLOCKS * BLOCKS / 2, f32::total_cmp);
    *median / highest.into_iter().fold(f32::MAX, f32::min)
}

fn mean_and_deviation(values: impl Iterator<Item = u8>) -> (f32, f32) {
    let (mut count, mut sum, mut squares) = (0.0f32, 0.0f32, 0.0f32);
    for value in values.map(f32::from) {
        (count, sum, squares) = (count + 1.0, sum + value, squares + value * value);
    }
    let mean = sum / count.max(1.0);
    (mean, (squares / count.max(1.0) - mean * mean).max(0.0).sqrt())
}

/// [`Quality::white`] of these pixels.
fn white(pixels: &[u8]) -> f32 {
    pixels.iter().filter(|value| **value >= 240).count() as f32 / pixels.len() as f32
}

/// The grey value that a fiftieth of the pixels exceeds.
fn exceeded_by_a_fiftieth(pixels: &[u8]) -> f32 {
    let mut counts = [0usize; 256];
    pixels.iter().for_each(|value| counts[usize::from(*value)] += 1);
    let mut above = 0;
    let value = (0..256).rev().find(|value| {
        above += counts[*value];
        above * 50 > pixels.len()
    });
    value.unwrap_or(0) as f32
}

/// Logarithms of the means of 8×8 pixels, by row and column; they ignore eyes and mouth being slightly off the axis.
type Cells = [[f32; CELLS]; CELLS];

/// The cells of a crop.
fn light(pixels: &[u8]) -> Cells {
    let cell = |column: usize, row: usize| {
        let rows = row * CELL..(row + 1) * CELL;
        let sum: u32 =
            rows.flat_map(|y| &pixels[y * SIDE + column * CELL..][..CELL]).map(|&value| u32::from(value)).sum();
        // Two grey levels more, so that black is not infinitely darker than nearly black.
        (sum as f32 / (CELL * CELL) as f32 + 2.0).ln()
    };
    std::array::from_fn(|row| std::array::from_fn(|column| cell(column, row)))
}

/// Side of a cell of [`light`] in pixels, and how many there are along a side of the crop.
const CELL: usize = 8;
const CELLS: usize = SIDE / CELL;

/// Whether the middle of a cell is in one of the ellipses.
fn is_cell_within(ellipse: [f32; 2], column: usize, row: usize) -> bool {
    is_within(ellipse, column * CELL + CELL / 2, row * CELL + CELL / 2)
}

/// [`Quality::asymmetry`] of the cells.
fn asymmetry(cells: &Cells) -> f32 {
    let differences = cells.iter().enumerate().filter_map(|(row, cells)| {
        let inside = (0..CELLS / 2).filter(|column| is_cell_within(FACE, *column, row));
        let mut differences: Vec<f32> = inside.map(|column| cells[column] - cells[CELLS - 1 - column]).collect();
        differences.sort_by(f32::total_cmp);
        differences.get(differences.len() / 2).copied()
    });
    let medians: Vec<f32> = differences.collect();
    (medians.iter().sum::<f32>() / f32::max(medians.len() as f32, 1.0)).abs()
}

/// [`Quality::light_range`] of the cells.
fn light_range(cells: &Cells) -> f32 {
    let rows = cells.iter().enumerate();
    let inside = rows.flat_map(|(row, cells)| {
        cells.iter().enumerate().filter(move |(column, _)| is_cell_within(SKIN, *column, row)).map(|(_, cell)| *cell)
    });
    let mut inside: Vec<f32> = inside.collect();
    inside.sort_by(f32::total_cmp);
    let tenth = inside.len() / 10;
    inside[inside.len() - 1 - tenth] - inside[tenth]
}

/// [`Quality::blur`] of square pixels.
fn blur(natural: &[u8]) -> f32 {
    let side = natural.len().isqrt().max(1);
    let rows = natural.chunks_exact(side).map(|row| row.iter().map(|&value| f32::from(value)).collect());
    let columns = (0..side).map(|x| natural[x..].iter().step_by(side).map(|&value| f32::from(value)).collect());
    blur_along(rows).max(blur_along(columns))
}

/// The same along the given lines.
fn blur_along(lines: impl Iterator<Item = Vec<f32>>) -> f32 {
    /// How far the mean reaches on both sides.
    const REACH: usize = 4;
    let (mut variation, mut lost) = (0.0f32, 0.0f32);
    for line in lines {
        let last = line.len().saturating_sub(1);
        for at in 1..line.len() {
            let difference = (line[at] - line[at - 1]).abs();
            // From one pixel to the next, the sum over its surroundings gains a value and loses one.
            let (gained, gone) = (line[(at + REACH).min(last)], line[at.saturating_sub(REACH + 1)]);
            variation += difference;
            lost += (difference - (gained - gone).abs() / (2 * REACH + 1) as f32).max(0.0);
        }
    }
    1.0 - lost / variation.max(1.0)
}

/// [`Quality::noise`] of square pixels.
fn noise(natural: &[u8]) -> f32 {
    // A quarter of normally distributed values is below this many standard deviations.
    const LOWER_QUARTILE: f32 = 0.3186;
    let side = natural.len().isqrt();
    let at = |x: usize, y: usize| i32::from(natural[y * side + x]);
    let mut responses: Vec<i32> = Vec::with_capacity(natural.len());
    for y in 1..side.saturating_sub(1) {
        for x in 1..side - 1 {
            let corners = at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
            let edges = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
            responses.push((corners - 2 * edges + 4 * at(x, y)).abs());
        }
    }
    if responses.is_empty() {
        return 0.0;
    }
    let quarter = responses.len() / 4;
    let (_, lower, _) = responses.select_nth_unstable(quarter);
    // The operator multiplies the noise by 6. Below a grey level it is only rounding.
    let deviation_of_noise = (*lower as f32 / (6.0 * LOWER_QUARTILE) - 1.0).max(0.0);
    deviation_of_noise / mean_and_deviation(natural.iter().copied()).1.max(2.0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::GOOD;
    use super::super::{BLUR, EMPTINESS, NOISE, WHITE};
    use super::*;

    /// Waves of several lengths with eyes' contrast everywhere, in two columns mirrored about the middle.
    fn texture(x: usize, y: usize) -> f32 {
        let (u, v) = (x.min(SIDE - 1 - x) as f32, y as f32);
        110.0 + 30.0 * (u * 0.35).sin() * (v * 0.31).cos() + 25.0 * (v * 0.16 + u * 0.1).sin()
    }

    fn crop(value: impl Fn(usize, usize) -> f32) -> Vec<u8> {
        (0..SIDE * SIDE).map(|at| value(at % SIDE, at / SIDE).round() as u8).collect()
    }

    #[test]
    fn what_is_compared_with_the_face_itself_does_not_depend_on_its_brightness() {
        let (bright, dim) = (crop(texture), crop(|x, y| texture(x, y) / 2.0));
        let of_light: [fn(&Cells) -> f32; 2] = [asymmetry, light_range];
        let of_pixels: [fn(&[u8]) -> f32; 3] = [emptiness, blur, noise];
        let pairs = of_pixels.map(|measure| (measure(&bright), measure(&dim)));
        for (bright, dim) in
            pairs.into_iter().chain(of_light.map(|measure| (measure(&light(&bright)), measure(&light(&dim)))))
        {
            assert!((bright - dim).abs() < 0.06, "{bright} or {dim}");
        }
    }

    #[test]
    fn a_strip_without_anything_to_see_counts_as_covered_on_every_side() {
        assert!(EMPTINESS.of(emptiness(&crop(texture))) < 1.0);
        let strips: [fn(usize, usize) -> bool; 4] =
            [|x, _| x < 44, |x, _| x >= SIDE - 44, |_, y| y < 44, |_, y| y >= SIDE - 44];
        for covered in strips {
            let hidden = crop(|x, y| if covered(x, y) { 60.0 } else { texture(x, y) });
            assert!(EMPTINESS.of(emptiness(&hidden)) >= 1.0);
        }
    }

    #[test]
    fn white_beside_a_face_is_not_a_washed_out_face() {
        let share = |is_white: fn(usize, usize) -> bool| {
            let at = (0..SIDE * SIDE).map(|at| (at % SIDE, at / SIDE)).filter(|&(x, y)| is_within(CENTRE, x, y));
            white(&at.map(|(x, y)| if is_white(x, y) { 255 } else { 90 }).collect::<Vec<_>>())
        };
        assert!(WHITE.of(share(|x, _| x > SIDE * 3 / 4)) < 0.5);
        assert!(WHITE.of(share(|x, _| x > SIDE / 2)) >= 1.0);
    }

    #[test]
    fn a_darker_half_is_asymmetric_and_a_shadow_is_no_good_photo() {
        let lit = |darker: fn(usize, usize) -> bool| {
            light(&crop(|x, y| texture(x, y) * if darker(x, y) { 0.3 } else { 1.0 }))
        };
        let (even, half, brow) = (lit(|_, _| false), lit(|x, _| x < SIDE / 2), lit(|_, y| y < SIDE / 2));
        assert!(asymmetry(&even) < 0.01 && asymmetry(&brow) < 0.01);
        assert!((asymmetry(&half) - (1.0f32 / 0.3).ln()).abs() < 0.1, "{}", asymmetry(&half));
        let is_good = |cells| Quality { light_range: light_range(cells), ..GOOD }.is_good();
        assert!(is_good(&even) && !is_good(&half) && !is_good(&brow));
    }

    #[test]
    fn noise_and_blur_are_told_apart() {
        let grain = |x: usize, y: usize| ((x * 7919 + y * 104_729 + x * y * 31) % 61) as f32 - 30.0;
        let noisy = crop(|x, y| texture(x, y) + grain(x, y));
        assert!(NOISE.of(noise(&noisy)) >= 1.0 && BLUR.of(blur(&noisy)) < 0.5);
        let smooth = crop(|x, y| 110.0 + 60.0 * ((x + y) as f32 * 0.05).sin());
        assert!(NOISE.of(noise(&smooth)) < 0.5 && BLUR.of(blur(&smooth)) >= 1.0);
    }
}
