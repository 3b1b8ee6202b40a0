//! Matrix products (GEMM) of operands that are in the cache, without packing them on every call.
//!
//! The networks' matrices are narrow, so packing as a general library does it costs as much as it
//! gains (measured against `gemm` 0.19 on one AVX2 core: 0.95 to 1.2 times its throughput at these
//! networks' sizes, 80 to 95 GFLOP/s). The micro-kernel keeps a tile of a few rows by two or three
//! vectors of columns in registers over the whole inner dimension; `pulp` compiles it for each instruction
//! set and dispatches at run time.

use aligned_vec::AVec;
use pulp::{Simd, WithSimd};

use super::channel_blocks::lane_count;

/// Operand A, the left-hand matrix. Each row consists of equally spaced segments.
pub(super) trait OperandA: Copy {
    fn values(&self) -> &[f32];
    fn rows(&self) -> usize;
    fn layout(&self) -> RowLayout;
    /// Offsets of the first elements of `R` rows from `row` on.
    fn row_offsets<const R: usize>(&self, row: usize) -> [usize; R];
}

/// Memory layout of a row of operand A.
#[derive(Clone, Copy)]
pub(super) struct RowLayout {
    pub(super) segments: usize,
    /// Elements of a segment.
    pub(super) segment_length: usize,
    /// Between the first elements of consecutive segments.
    pub(super) segment_stride: usize,
    /// Between consecutive elements of a segment.
    pub(super) element_stride: usize,
}

impl RowLayout {
    /// Elements of a row.
    #[inline(always)]
    fn elements(self) -> usize {
        self.segments.saturating_mul(self.segment_length)
    }

    /// Distance from a row's first element to its last, saturating.
    #[inline(always)]
    fn span(self) -> usize {
        let extent = |count: usize, stride: usize| count.saturating_sub(1).saturating_mul(stride);
        extent(self.segments, self.segment_stride).saturating_add(extent(self.segment_length, self.element_stride))
    }
}

/// A strided matrix: element (row, column) is at `row * row_stride + column * column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `values`, row-major.
    #[inline(always)]
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert!(values.len() >= rows * columns);
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    #[inline(always)]
    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

impl OperandA for Matrix<'_> {
    #[inline(always)]
    fn values(&self) -> &[f32] {
        self.values
    }

    #[inline(always)]
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    fn layout(&self) -> RowLayout {
        RowLayout { segments: 1, segment_length: self.columns, segment_stride: 0, element_stride: self.column_stride }
    }

    #[inline(always)]
    fn row_offsets<const R: usize>(&self, row: usize) -> [usize; R] {
        std::array::from_fn(|r| (row + r) * self.row_stride)
    }
}

/// Operand B, the right-hand matrix (inner, columns).
#[derive(Clone, Copy)]
pub(super) enum OperandB<'a> {
    RowMajor(&'a [f32]),
    /// In panels, by [`pack`].
    Packed(&'a [f32]),
}

impl<'a> OperandB<'a> {
    #[inline(always)]
    fn values(self) -> &'a [f32] {
        match self {
            Self::RowMajor(values) | Self::Packed(values) => values,
        }
    }

    /// Offset and row stride of the `width` columns from `column` on.
    #[inline(always)]
    fn panel(self, column: usize, width: usize, (inner, columns): (usize, usize)) -> (usize, usize) {
        match self {
            Self::RowMajor(_) => (column, columns),
            Self::Packed(_) => (column * inner, width),
        }
    }
}

/// `out` = a · b, or `out` += a · b with `accumulate`.
pub(super) struct Gemm<'a, 'b, L> {
    /// (rows of `a`, `columns`), row-major.
    pub(super) out: &'a mut [f32],
    pub(super) a: L,
    /// (columns of `a`, `columns`)
    pub(super) b: OperandB<'b>,
    pub(super) columns: usize,
    pub(super) accumulate: bool,
}

impl<L: OperandA> WithSimd for Gemm<'_, '_, L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (inner, rows) = (self.a.layout().elements(), self.a.rows());
        assert!(self.b.values().len() >= inner * self.columns && self.out.len() >= rows * self.columns);
        let lanes = lane_count::<S>();
        for (column, width) in panels(lanes, self.columns) {
            // Twelve accumulators and their operands fill sixteen registers; AVX-512 has thirty-two.
            match (width.div_ceil(lanes), lanes) {
                (3, _) => self.panel::<S, 8, 3>(simd, column, width),
                (2, 16) => self.panel::<S, 12, 2>(simd, column, width),
                (2, _) => self.panel::<S, 6, 2>(simd, column, width),
                _ => self.panel::<S, 12, 1>(simd, column, width),
            }
        }
    }
}

/// First column and width of each panel of B: two vectors wide, or three at first if their number is odd and AVX-512 has the
/// registers; then one, then the remainder.
#[inline(always)]
fn panels(lanes: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut column = 0;
    std::iter::from_fn(move || {
        let remaining = columns - column;
        let whole = remaining / lanes;
        let width = match whole {
            0 => remaining,
            // An odd number of vectors begins with three, if there are registers enough.
            _ if lanes == 16 && whole >= 3 && whole % 2 == 1 => 3 * lanes,
            1 => lanes,
            _ => 2 * lanes,
        };
        column += width;
        (width > 0).then(|| (column - width, width))
    })
}

/// Packs a matrix (inner, `columns`) panel by panel in the order in which [`Gemm`] reads it on this
/// machine, so that weights are streamed from memory sequentially.
pub(super) fn pack(matrix: &[f32], columns: usize) -> AVec<f32> {
    let mut packed = AVec::with_capacity(0, matrix.len());
    pulp::Arch::new().dispatch(Pack { matrix, columns, packed: &mut packed });
    packed
}

struct Pack<'a> {
    matrix: &'a [f32],
    columns: usize,
    packed: &'a mut AVec<f32>,
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (column, width) in panels(lane_count::<S>(), self.columns) {
            let rows = self.matrix.chunks_exact(self.columns);
            rows.for_each(|row| self.packed.extend_from_slice(&row[column..column + width]));
        }
    }
}

impl<L: OperandA> Gemm<'_, '_, L> {
    /// All rows of one panel, `R` at a time.
    #[inline(always)]
    fn panel<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, column: usize, width: usize) {
        let mut row = 0;
        while row + R <= self.a.rows() {
            self.micro_kernel::<S, R, V>(simd, row, column, width);
            row += R;
        }
        while row + 4 <= self.a.rows() {
            self.micro_kernel::<S, 4, V>(simd, row, column, width);
            row += 4;
        }
        while row < self.a.rows() {
            self.micro_kernel::<S, 1, V>(simd, row, column, width);
            row += 1;
        }
    }

    /// `R` rows of one panel of at most `V` vectors.
    #[inline(always)]
    fn micro_kernel<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
        width: usize,
    ) {
        let lanes = lane_count::<S>();
        let (values, layout, columns) = (self.a.values(), self.a.layout(), self.columns);
        let b = self.b.values();
        let inner = layout.elements();
        let (start, stride) = self.b.panel(column, width, (inner, columns));
        let offsets = self.a.row_offsets::<R>(row);
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        if inner == 0 {
            // The sums are zero.
        } else if width == V * lanes {
            // Whatever layout `a` and `b` report, these slices contain every element that the loop reads.
            let rows = offsets.map(|offset| &values[offset..][..layout.span().saturating_add(1)]);
            let panel = &b[start..][..(inner - 1).saturating_mul(stride).saturating_add(V * lanes)];
            // SAFETY: an element is at most `span` after the first of its row, and the last of the panel's
            // rows, V vectors, ends with its slice; every bit pattern is a valid float.
            unsafe {
                let rows = rows.map(<[f32]>::as_ptr);
                let mut pb = panel.as_ptr();
                for segment in 0..layout.segments {
                    let mut at = segment * layout.segment_stride;
                    for _ in 0..layout.segment_length {
                        let vectors: [S::f32s; V] =
                            std::array::from_fn(|v| pb.add(v * lanes).cast::<S::f32s>().read_unaligned());
                        for (row, sums) in rows.iter().zip(&mut sums) {
                            let value = simd.splat_f32s(*row.add(at));
                            for v in 0..V {
                                sums[v] = simd.mul_add_e_f32s(value, vectors[v], sums[v]);
                            }
                        }
                        at += layout.element_stride;
                        pb = pb.wrapping_add(stride);
                    }
                }
            }
        } else {
            for k in 0..inner {
                let vector = simd.partial_load_f32s(&b[start + k * stride..][..width]);
                let (segment, element) = (k / layout.segment_length, k % layout.segment_length);
                let at = segment * layout.segment_stride + element * layout.element_stride;
                for (offset, sums) in offsets.iter().zip(&mut sums) {
                    sums[0] = simd.mul_add_e_f32s(simd.splat_f32s(values[offset + at]), vector, sums[0]);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            let target = &mut self.out[(row + r) * columns + column..][..width];
            if width == V * lanes {
                let target = target.as_mut_ptr().cast::<S::f32s>();
                for (v, sum) in sums.into_iter().enumerate() {
                    // SAFETY: the slice is V vectors long.
                    unsafe {
                        let target = target.add(v);
                        let sum = if self.accumulate { simd.add_f32s(sum, target.read_unaligned()) } else { sum };
                        target.write_unaligned(sum);
                    }
                }
            } else {
                let sum =
                    if self.accumulate { simd.add_f32s(sums[0], simd.partial_load_f32s(target)) } else { sums[0] };
                simd.partial_store_f32s(target, sum);
            }
        }
    }
}

/// `out` = a · b, or `out` += a · b with `accumulate`; `b` is (columns of `a`, `columns`).
pub(super) fn gemm(out: &mut [f32], a: impl OperandA, b: OperandB<'_>, columns: usize, accumulate: bool) {
    pulp::Arch::new().dispatch(Gemm { out, a, b, columns, accumulate });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_their_definition_at_every_size() {
        for (rows, columns, inner) in
            [(1, 1, 1), (7, 5, 3), (13, 24, 9), (12, 16, 4), (18, 33, 20), (5, 48, 0), (21, 80, 7), (9, 55, 6)]
        {
            let wave = |count: usize, step: f32| (0..count).map(|i| (i as f32 * step).sin()).collect::<Vec<_>>();
            let (a, b) = (wave(rows * inner, 0.7), wave(inner * columns, 0.3));
            let transposed: Vec<f32> = (0..inner * rows).map(|i| a[i % rows * inner + i / rows]).collect();
            let sum = |at: usize| (0..inner).map(|k| a[at / columns * inner + k] * b[k * columns + at % columns]).sum();
            let expected: Vec<f32> = (0..rows * columns).map(sum).collect();
            for a in [Matrix::new(&a, rows, inner), Matrix::new(&transposed, inner, rows).transposed()] {
                for b in [OperandB::RowMajor(&b), OperandB::Packed(&pack(&b, columns))] {
                    let mut out = vec![1.0; rows * columns];
                    gemm(&mut out, a, b, columns, false);
                    assert!(out.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{rows}×{columns}×{inner}");
                    gemm(&mut out, a, b, columns, true);
                    assert!(out.iter().zip(&expected).all(|(a, b)| (a - 2.0 * b).abs() < 1e-5), "accumulated");
                }
            }
        }
    }
}
