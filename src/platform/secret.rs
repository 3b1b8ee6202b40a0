//! Comparing secrets.

use std::hint::black_box;

/// Compares two secrets in a time that does not reveal where they differ.
pub(super) fn constant_time_eq(given: &[u8], secret: &[u8]) -> bool {
    let difference = given.iter().zip(secret).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
    given.len() == secret.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_is_equal() {
        assert!(constant_time_eq(b"secret", b"secret"));
        for given in [&b""[..], b"secre", b"secrets", b"Secret", b"secreT"] {
            assert!(!constant_time_eq(given, b"secret"));
        }
    }
}
