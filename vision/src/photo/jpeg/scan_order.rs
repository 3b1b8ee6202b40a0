//! Checks that the scans of a file come in an order that the standard allows: other orders are read differently by
//! each decoder, or not at all.

use super::headers::Scan;

/// Maximum number of components in a frame.
const MAX_COMPONENTS: usize = 255;

/// Whether each scan codes what the standard allows after those before it: the first bits of coefficients that have
/// none, or the bit below the lowest one coded so far (T.81 G.1.1.1.2). In a sequential file that is one
/// scan for each component.
pub fn is_valid_order(scans: &[Scan]) -> bool {
    let mut lowest_bits: Vec<[Option<u32>; 64]> = vec![[None; 64]; MAX_COMPONENTS];
    scans.iter().all(|scan| {
        let mut coefficients = scan
            .components
            .iter()
            .flat_map(|coded| (scan.spectral_start..=scan.spectral_end).map(|k| (coded.component, k)));
        coefficients.all(|(component, k)| {
            let before = lowest_bits[component][k].replace(scan.low_bit);
            // A component's DC coefficients come first.
            let has_dc = k == 0 || lowest_bits[component][0].is_some();
            has_dc && before == scan.is_refinement.then_some(scan.low_bit + 1)
        })
    })
}
