//! From landmarks to the square crop that the estimator was trained on.

use super::CropFrame;

/// Landmarks in a UTKFace crop as found by the detector's refinement pass, in fractions of its side from
/// the upper left: medians over 300 training crops, whose spread is about 2 % of the side.
const TEMPLATE: [[f32; 2]; 5] = [[0.294, 0.300], [0.687, 0.301], [0.492, 0.498], [0.322, 0.679], [0.651, 0.682]];
/// Side of the detector's box (square root of its area) in the same crops, in fractions of the crop's side.
const BOX_SIDE: f32 = 0.922;

/// The frame around a face, from its landmarks and the side of its box, all in pixels.
///
/// Centre and roll are those of the least-squares similarity that maps the template onto the
/// landmarks (Umeyama 1991). Its scale shrinks when a face turns away and the box's does not; each
/// alone is off from the training crops' scale by about 5 %, their geometric mean by less.
pub fn frame(landmarks: &[[f32; 2]; 5], box_side: f32) -> CropFrame {
    let mean = |points: &[[f32; 2]; 5], axis: usize| points.iter().map(|point| point[axis]).sum::<f32>() / 5.0;
    let (tx, ty) = (mean(&TEMPLATE, 0), mean(&TEMPLATE, 1));
    let (lx, ly) = (mean(landmarks, 0), mean(landmarks, 1));
    let (mut along, mut across, mut square) = (0.0, 0.0, 0.0);
    for (template, landmark) in TEMPLATE.iter().zip(landmarks) {
        let (a, b) = (template[0] - tx, template[1] - ty);
        let (c, d) = (landmark[0] - lx, landmark[1] - ly);
        along += a * c + b * d;
        across += a * d - b * c;
        square += a * a + b * b;
    }
    let scale = along.hypot(across) / square;
    let roll = across.atan2(along);
    let side = (scale * (box_side / BOX_SIDE)).sqrt();
    // The mean of the template is not the centre of the crop: move from one to the other.
    let around_mean = CropFrame { center_x: lx, center_y: ly, side, roll };
    let (center_x, center_y) = around_mean.to_photo(0.5 - tx, 0.5 - ty);
    CropFrame { center_x, center_y, side, roll }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_recovered_from_its_landmarks() {
        for (center_x, center_y, side, roll) in
            [(100.0, 80.0, 60.0, 0.0), (-20.0, 5.0, 200.0, 1.2), (9.0, 9.0, 33.0, -2.9)]
        {
            let truth = CropFrame { center_x, center_y, side, roll };
            let landmarks = TEMPLATE.map(|[x, y]| {
                let (x, y) = truth.to_photo(x - 0.5, y - 0.5);
                [x, y]
            });
            let found = frame(&landmarks, side * BOX_SIDE);
            assert!((found.center_x - center_x).abs() < 0.01 && (found.center_y - center_y).abs() < 0.01, "{found:?}");
            assert!((found.side - side).abs() < 0.01 && (found.roll - roll).abs() < 1e-3, "{found:?}");
        }
    }
}
