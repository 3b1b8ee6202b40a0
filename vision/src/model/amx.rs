//! Products of 8-bit tiles on the matrix unit of Intel's server processors (AMX: Sapphire Rapids and later).
//!
//! A tile register holds 16 rows of 64 bytes. One instruction multiplies 16 rows of 64 integers by 64 rows of 16, and adds the
//! products to 16×16 sums: 32 times as many multiply-adds per cycle as an AVX-512 core does in f32.
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.

use std::marker::PhantomData;
use std::sync::OnceLock;

/// Rows of a tile, and columns of a tile of sums.
pub(super) const TILE: usize = 16;
/// Integers in a row of a tile: the inner dimension of one instruction.
pub(super) const CHUNK: usize = 64;
/// Bytes of a tile.
pub(super) const TILE_BYTES: usize = TILE * CHUNK;

/// 16×16 sums.
pub(super) type Tile = [[i32; TILE]; TILE];

/// Two pairs of tiles: the sums of the upper bytes of A for both, then those of the lower bytes.
#[repr(C, align(64))]
#[derive(Default)]
pub(super) struct Sums(pub(super) [[Tile; 2]; 2]);

/// The product of 16-bit rows of A, split into bytes, by columns of 8 bits of B.
#[derive(Clone, Copy)]
pub(super) struct TileProduct<'a> {
    pub(super) shape: Shape,
    /// The upper bytes (signed) of A from here on; the lower bytes (unsigned) are `lower` bytes later.
    pub(super) a: &'a [u8],
    pub(super) lower: usize,
    /// From a row of A to the next.
    pub(super) row_stride: usize,
    /// Length of the rows of A, in multiples of [`CHUNK`].
    pub(super) chunks: usize,
    /// For each chunk, each tile of columns, as [`pack_tile`] writes it.
    pub(super) b: &'a [u8],
}

/// What the two tiles of a product cover.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// 16 rows of A by 32 columns of B.
    Wide,
    /// 32 rows of A by 16 columns of B.
    Tall,
}

impl Shape {
    /// Tiles of columns of B.
    pub(super) fn columns(self) -> usize {
        if self == Self::Wide { 2 } else { 1 }
    }

    fn rows(self) -> usize {
        if self == Self::Wide { TILE } else { 2 * TILE }
    }
}

impl TileProduct<'_> {
    /// Whether all that the product reads is in its slices.
    fn is_within_bounds(&self) -> bool {
        let of_a = self.row_stride.checked_mul(self.shape.rows() - 1);
        let of_a = of_a
            .zip(self.chunks.checked_mul(CHUNK))
            .and_then(|(last, row)| last.checked_add(row)?.checked_add(self.lower));
        let of_b = self.chunks.checked_mul(self.shape.columns() * TILE_BYTES);
        self.chunks > 0 && of_a.is_some_and(|end| end <= self.a.len()) && of_b.is_some_and(|end| end <= self.b.len())
    }
}

/// A tile of B, four rows interleaved. `value` reads its row and column.
pub(super) fn pack_tile(value: impl Fn(usize, usize) -> i8) -> [u8; TILE_BYTES] {
    std::array::from_fn(|at| value(at / CHUNK * 4 + at % 4, at % CHUNK / 4).cast_unsigned())
}

/// The matrix unit of the core that runs this thread, configured until it is dropped. A thread has one at a time.
pub(super) struct MatrixUnit {
    /// The configuration belongs to a thread.
    of_thread: PhantomData<*const ()>,
}

impl MatrixUnit {
    /// Whether processor and kernel allow its use. The first call asks the kernel for permission, for all threads.
    pub(super) fn is_available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(unit::is_available)
    }

    /// Configures it for this thread, where it is available.
    pub(super) fn configure() -> Option<Self> {
        Self::is_available().then(|| {
            // SAFETY: it is available.
            unsafe { unit::configure() };
            Self { of_thread: PhantomData }
        })
    }

    /// Overwrites `sums` with a product.
    pub(super) fn multiply(&self, product: &TileProduct<'_>, sums: &mut Sums) {
        assert!(product.is_within_bounds());
        // SAFETY: the unit is configured while `self` exists, no other code uses its tiles, and all reads are within bounds.
        unsafe { unit::multiply(product, sums) };
    }
}

impl Drop for MatrixUnit {
    fn drop(&mut self) {
        // SAFETY: the unit was configured.
        unsafe { unit::release() };
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod unit {
    use std::arch::asm;

    use super::{CHUNK, Shape, Sums, TILE, TileProduct};

    /// As `ldtilecfg` reads it.
    #[repr(C, align(64))]
    struct Configuration {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    const ROW: u16 = CHUNK as u16;
    const ROWS: u8 = TILE as u8;
    /// Eight tiles of full size.
    static TILES: Configuration = Configuration {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [ROW, ROW, ROW, ROW, ROW, ROW, ROW, ROW, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, 0, 0, 0, 0, 0, 0, 0, 0],
    };

    /// Configures the tiles of this thread. The unit must be available.
    pub(super) unsafe fn configure() {
        // SAFETY: the instruction exists, the kernel permits it, and the configuration is valid.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const TILES, options(nostack, readonly)) };
    }

    /// Makes the tiles unused, so that the kernel need not save them. The unit must be available.
    pub(super) unsafe fn release() {
        // SAFETY: the instruction exists.
        unsafe { asm!("tilerelease", options(nomem, nostack)) };
    }

    /// The unit must be configured, and the product within bounds.
    pub(super) unsafe fn multiply(product: &TileProduct<'_>, sums: &mut Sums) {
        // SAFETY: the caller's; the four tiles of sums fill `sums`.
        unsafe {
            match product.shape {
                Shape::Wide => multiply_wide(product, sums),
                Shape::Tall => multiply_tall(product, sums),
            }
        }
    }

    /// The product of one shape, whose instructions for each chunk are given: upper times B to tiles 0 and 1, lower times B to
    /// tiles 2 and 3.
    macro_rules! kernel {
        ($name:ident, $bytes_of_b:literal, [$($instruction:literal),*], $product:ident, {$($operands:tt)*}) => {
            unsafe fn $name($product: &TileProduct<'_>, sums: &mut Sums) {
                let TileProduct { a, lower, row_stride, chunks, b, .. } = *$product;
                // SAFETY: the caller's.
                unsafe {
                    asm!(
                        "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                        "2:",
                        $($instruction,)*
                        "add {upper}, 64",
                        "add {lower}, 64",
                        concat!("add {b}, ", $bytes_of_b),
                        "dec {chunks}",
                        "jnz 2b",
                        "tilestored [{sums} + {line}], tmm0",
                        "tilestored [{sums} + {line} + 1024], tmm1",
                        "tilestored [{sums} + {line} + 2048], tmm2",
                        "tilestored [{sums} + {line} + 3072], tmm3",
                        upper = inout(reg) a.as_ptr() => _,
                        lower = inout(reg) a.as_ptr().add(lower) => _,
                        stride = in(reg) row_stride,
                        $($operands)*
                        b = inout(reg) b.as_ptr() => _,
                        chunks = inout(reg) chunks => _,
                        line = in(reg) 64usize,
                        sums = in(reg) &raw mut *sums,
                        out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                        out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                        options(nostack),
                    );
                }
            }
        };
    }

    kernel!(
        multiply_wide,
        "2048",
        [
            "tileloadd tmm6, [{b} + {line}]",
            "tileloadd tmm4, [{upper} + {stride}]",
            "tdpbssd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{b} + {line} + 1024]",
            "tdpbssd tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{lower} + {stride}]",
            "tdpbusd tmm2, tmm5, tmm6",
            "tdpbusd tmm3, tmm5, tmm7"
        ],
        product,
        {}
    );
    kernel!(
        multiply_tall,
        "1024",
        [
            "tileloadd tmm6, [{b} + {line}]",
            "tileloadd tmm4, [{upper} + {stride}]",
            "tdpbssd tmm0, tmm4, tmm6",
            "lea {other}, [{upper} + {half}]",
            "tileloadd tmm5, [{other} + {stride}]",
            "tdpbssd tmm1, tmm5, tmm6",
            "tileloadd tmm4, [{lower} + {stride}]",
            "tdpbusd tmm2, tmm4, tmm6",
            "lea {other}, [{lower} + {half}]",
            "tileloadd tmm5, [{other} + {stride}]",
            "tdpbusd tmm3, tmm5, tmm6"
        ],
        product,
        { half = in(reg) TILE * product.row_stride, other = out(reg) _, }
    );

    /// Whether processor and kernel allow the unit's use. Asks the kernel for permission.
    pub(super) fn is_available() -> bool {
        has_instructions() && is_permitted()
    }

    /// Whether the processor has tiles of bytes, and the kernel saves them.
    fn has_instructions() -> bool {
        const TILES_OF_BYTES: u32 = 1 << 25 | 1 << 24;
        const SAVED_TILES: u64 = 1 << 18 | 1 << 17;
        use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
        #[target_feature(enable = "xsave")]
        fn saved() -> u64 {
            // SAFETY: register 0 exists wherever the instruction does.
            unsafe { _xgetbv(0) }
        }
        // The rest of a convolution is made for AVX-512, with which all such processors came.
        matches!(pulp::Arch::new(), pulp::Arch::V4(_))
            && __cpuid(0).eax >= 7
            && __cpuid_count(7, 0).edx & TILES_OF_BYTES == TILES_OF_BYTES
            // SAFETY: AVX-512 is in use, whose registers are saved by XSAVE.
            && unsafe { saved() } & SAVED_TILES == SAVED_TILES
    }

    /// Asks the kernel to save the tiles of all threads of this process.
    fn is_permitted() -> bool {
        /// From Linux's `asm/prctl.h`, and the state's number.
        const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
        const TILE_DATA: libc::c_long = 18;
        // SAFETY: the call takes two numbers.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod unit {
    use super::{Sums, TileProduct};

    /// Other processors have none.
    pub(super) fn is_available() -> bool {
        false
    }

    pub(super) unsafe fn configure() {
        unreachable!("there is no matrix unit");
    }

    pub(super) unsafe fn release() {
        unreachable!("there is no matrix unit");
    }

    pub(super) unsafe fn multiply(_: &TileProduct<'_>, _: &mut Sums) {
        unreachable!("there is no matrix unit");
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// [`MatrixUnit::multiply`] by its definition.
    pub(in crate::model) fn multiply(product: &TileProduct<'_>, sums: &mut Sums) {
        assert!(product.is_within_bounds());
        *sums = Sums::default();
        let columns = product.shape.columns();
        for (chunk, tiles) in product.b.chunks_exact(columns * TILE_BYTES).take(product.chunks).enumerate() {
            for (row, inner) in (0..product.shape.rows()).flat_map(|row| (0..CHUNK).map(move |inner| (row, inner))) {
                let at = row * product.row_stride + chunk * CHUNK + inner;
                let bytes = [i32::from(product.a[at].cast_signed()), i32::from(product.a[at + product.lower])];
                for (tile, b) in tiles.chunks_exact(TILE_BYTES).enumerate() {
                    for column in 0..TILE {
                        let b = i32::from(b[inner / 4 * CHUNK + 4 * column + inner % 4].cast_signed());
                        sums.0
                            .iter_mut()
                            .zip(bytes)
                            .for_each(|(sums, a)| sums[row / TILE + tile][row % TILE][column] += a * b);
                    }
                }
            }
        }
    }

    /// Bytes of every size and sign, with runs of the extremes.
    fn noise(count: usize, seed: usize) -> Vec<u8> {
        (0..count).map(|at| [0x80, 0xFF, 0x7F, (at * 167 + seed + at / 251) as u8][at / 7 % 4]).collect()
    }

    #[test]
    fn the_unit_of_this_machine_multiplies_as_its_definition_says() {
        let unit = MatrixUnit::configure();
        println!("matrix unit: {}", unit.is_some());
        for (shape, chunks, row_stride, gap) in [
            (Shape::Wide, 1, 64, 1),
            (Shape::Wide, 2, 1, 77),
            (Shape::Wide, 144, 9216, 0),
            (Shape::Tall, 1, 3, 13),
            (Shape::Tall, 27, 1728, 1),
        ] {
            let lower = row_stride * (shape.rows() - 1) + chunks * CHUNK + gap;
            let (a, b) = (noise(2 * lower, 1), noise(chunks * shape.columns() * TILE_BYTES, 5));
            let product = TileProduct { shape, a: &a, lower, row_stride, chunks, b: &b };
            let (mut expected, mut actual) = (Sums::default(), Sums::default());
            multiply(&product, &mut expected);
            assert_eq!(expected.0[1][1][TILE - 1][TILE - 1], corner(&product));
            if let Some(unit) = &unit {
                unit.multiply(&product, &mut actual);
                assert!(actual.0 == expected.0, "{chunks} chunks, rows {row_stride} apart");
            }
        }
    }

    /// The sum of the lower bytes in the last row and column.
    fn corner(product: &TileProduct<'_>) -> i32 {
        let row = &product.a[product.lower + (product.shape.rows() - 1) * product.row_stride..];
        let columns = product.shape.columns();
        let weight = |inner: usize| {
            let tile = inner / CHUNK * columns + columns - 1;
            product.b[tile * TILE_BYTES + inner % CHUNK / 4 * CHUNK + 4 * 15 + inner % 4].cast_signed()
        };
        (0..product.chunks * CHUNK).map(|inner| i32::from(row[inner]) * i32::from(weight(inner))).sum()
    }

    #[test]
    fn products_that_would_read_beyond_their_operands_are_detected() {
        let (a, b) = (vec![0; 15 * 4 + 64 + 1000], vec![0; 2 * TILE_BYTES]);
        let product = TileProduct { shape: Shape::Wide, a: &a, lower: 1000, row_stride: 4, chunks: 1, b: &b };
        assert!(product.is_within_bounds());
        for wrong in [
            TileProduct { a: &a[1..], ..product },
            TileProduct { row_stride: 5, ..product },
            TileProduct { row_stride: usize::MAX / 8, ..product },
            TileProduct { shape: Shape::Tall, ..product },
            TileProduct { chunks: 0, ..product },
            TileProduct { chunks: 2, ..product },
            TileProduct { lower: 1001, ..product },
            TileProduct { lower: usize::MAX, ..product },
            TileProduct { b: &b[1..], ..product },
        ] {
            assert!(!wrong.is_within_bounds());
        }
    }
}
