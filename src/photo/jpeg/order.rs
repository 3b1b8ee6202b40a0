//! Whether the scans of a file come in an order that the standard has: what is made of others, each
//! decoder decides for itself, or fails.

use super::headers::Scan;

/// Components that a frame can have.
const COMPONENTS: usize = 255;

/// Whether each scan adds to those before it what it should: the first bits of coefficients that have
/// none, or the one bit below those that they have (T.81 G.1.1.1.2). In a sequential file that is one
/// scan for each component.
pub fn is_orderly(scans: &[Scan]) -> bool {
    let mut given: Vec<[Option<u32>; 64]> = vec![[None; 64]; COMPONENTS];
    scans.iter().all(|scan| {
        let mut bits = scan.coded.iter().flat_map(|coded| (scan.start..=scan.end).map(|k| (coded.component, k)));
        bits.all(|(component, k)| {
            let before = given[component][k].replace(scan.low);
            // A component's means come first.
            let has_mean = k == 0 || given[component][0].is_some();
            has_mean && before == scan.refines.then_some(scan.low + 1)
        })
    })
}
