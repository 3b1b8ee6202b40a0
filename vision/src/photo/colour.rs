//! Colour conversions of single pixels, 8 bits a channel.

/// BT.601 luma, with the weights of a JPEG's Y, so that a photo has the same luma as PNG and as JPEG.
pub(super) fn luma([r, g, b]: [u8; 3]) -> u8 {
    let [r, g, b] = [r, g, b].map(u32::from);
    // JFIF's 0.299, 0.587 and 0.114 in 1/65536; they add up to 65536.
    ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) as u8
}

/// An RGBA pixel composited on white, as chat clients show it.
pub(super) fn on_white([r, g, b, a]: [u8; 4]) -> [u8; 3] {
    let a = u32::from(a);
    [r, g, b].map(|c| ((u32::from(c) * a + 255 * (255 - a) + 127) / 255) as u8)
}

/// Converts full-range YCbCr to RGB (JFIF 1.02).
pub(super) fn ycbcr_to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    // A cast from float to `u8` saturates.
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|channel| (channel + 0.5) as u8)
}
