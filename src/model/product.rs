//! The product of two matrices that lie in the cache, without packing them first.
//!
//! The networks' matrices are narrow: what a general library spends on packing its operands costs
//! as much as it brings (measured against `gemm` 0.19 on one AVX2 core: 0.95 to 1.2 times its rate
//! at these networks' sizes, 80 to 95 GFLOP/s). Here the sums of a few rows by two vectors of
//! columns stay in registers while the inner dimension passes; `pulp` compiles the loops for the
//! instruction sets at hand and chooses when the program runs.

use pulp::{Simd, WithSimd};

use super::lanes::lanes;

/// The left-hand matrix of a product. Its rows are one or more segments, equally far apart.
pub(super) trait Left: Copy {
    fn values(&self) -> &[f32];
    fn rows(&self) -> usize;
    fn segments(&self) -> Segments;
    /// Where `R` rows from `row` on begin.
    fn starts<const R: usize>(&self, row: usize) -> [usize; R];
}

/// What a row is made of.
#[derive(Clone, Copy)]
pub(super) struct Segments {
    pub(super) count: usize,
    /// Entries in each.
    pub(super) length: usize,
    /// From the first entry of one to that of the next.
    pub(super) step: usize,
    /// From entry to entry.
    pub(super) entry_step: usize,
}

impl Segments {
    #[inline(always)]
    fn entries(self) -> usize {
        self.count * self.length
    }

    /// From a row's first entry to its last; more than any slice holds where that overflows.
    #[inline(always)]
    fn reach(self) -> usize {
        let along = |count: usize, step: usize| count.saturating_sub(1).saturating_mul(step);
        along(self.count, self.step).saturating_add(along(self.length, self.entry_step))
    }
}

/// A matrix in memory: entry (row, column) lies at `row * row_step + column * column_step`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Matrix<'a> {
    /// `values`, row by row.
    #[inline(always)]
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert!(values.len() >= rows * columns);
        Self { values, rows, columns, row_step: columns, column_step: 1 }
    }

    #[inline(always)]
    pub(super) fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row_step: self.column_step, column_step: self.row_step, ..self }
    }
}

impl Left for Matrix<'_> {
    #[inline(always)]
    fn values(&self) -> &[f32] {
        self.values
    }

    #[inline(always)]
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    fn segments(&self) -> Segments {
        Segments { count: 1, length: self.columns, step: 0, entry_step: self.column_step }
    }

    #[inline(always)]
    fn starts<const R: usize>(&self, row: usize) -> [usize; R] {
        std::array::from_fn(|r| (row + r) * self.row_step)
    }
}

/// The right-hand matrix of a product, (inner, columns).
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    /// Row by row.
    Rows(&'a [f32]),
    /// As [`packed`] lays it out.
    Packed(&'a [f32]),
}

impl<'a> Right<'a> {
    #[inline(always)]
    fn values(self) -> &'a [f32] {
        match self {
            Self::Rows(values) | Self::Packed(values) => values,
        }
    }

    /// Where `width` columns from `column` on begin, and the step from row to row.
    #[inline(always)]
    fn panel(self, column: usize, width: usize, (inner, columns): (usize, usize)) -> (usize, usize) {
        match self {
            Self::Rows(_) => (column, columns),
            Self::Packed(_) => (column * inner, width),
        }
    }
}

/// `out` = a · b, or `out` += a · b with `add`.
pub(super) struct Product<'a, 'b, L> {
    /// (rows of `a`, `columns`), row by row.
    pub(super) out: &'a mut [f32],
    pub(super) a: L,
    /// (entries of a row of `a`, `columns`)
    pub(super) b: Right<'b>,
    pub(super) columns: usize,
    pub(super) add: bool,
}

impl<L: Left> WithSimd for Product<'_, '_, L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (inner, rows) = (self.a.segments().entries(), self.a.rows());
        assert!(self.b.values().len() >= inner * self.columns && self.out.len() >= rows * self.columns);
        let lanes = lanes::<S>();
        for (column, width) in panels(lanes, self.columns) {
            // Twelve vectors of sums and their operands fill sixteen registers; AVX-512 has thirty-two.
            match (width == 2 * lanes, lanes) {
                (true, 16) => self.panel::<S, 12, 2>(simd, column, width),
                (true, _) => self.panel::<S, 6, 2>(simd, column, width),
                (false, _) => self.panel::<S, 12, 1>(simd, column, width),
            }
        }
    }
}

/// First column and width of the panels that a product works through one after the other: two
/// vectors, then one, then what is left.
#[inline(always)]
fn panels(lanes: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut column = 0;
    std::iter::from_fn(move || {
        let left = columns - column;
        let width = if left >= 2 * lanes { 2 * lanes } else { lanes.min(left) };
        column += width;
        (width > 0).then(|| (column - width, width))
    })
}

/// A matrix (inner, `columns`) laid out panel by panel, as this machine's product passes over it:
/// weights that come from memory then come in one stream.
pub(super) fn packed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let mut packed = Vec::with_capacity(matrix.len());
    pulp::Arch::new().dispatch(Pack { matrix, columns, packed: &mut packed });
    packed
}

struct Pack<'a> {
    matrix: &'a [f32],
    columns: usize,
    packed: &'a mut Vec<f32>,
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (column, width) in panels(lanes::<S>(), self.columns) {
            let rows = self.matrix.chunks_exact(self.columns);
            rows.for_each(|row| self.packed.extend_from_slice(&row[column..column + width]));
        }
    }
}

impl<L: Left> Product<'_, '_, L> {
    /// All rows of `width` columns from `column` on, `R` at a time.
    #[inline(always)]
    fn panel<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, column: usize, width: usize) {
        let mut row = 0;
        while row + R <= self.a.rows() {
            self.block::<S, R, V>(simd, row, column, width);
            row += R;
        }
        while row + 4 <= self.a.rows() {
            self.block::<S, 4, V>(simd, row, column, width);
            row += 4;
        }
        while row < self.a.rows() {
            self.block::<S, 1, V>(simd, row, column, width);
            row += 1;
        }
    }

    #[inline(always)]
    fn block<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, row: usize, column: usize, width: usize) {
        let lanes = lanes::<S>();
        let (values, segments, columns) = (self.a.values(), self.a.segments(), self.columns);
        let b = self.b.values();
        let entries = segments.entries();
        let (start, step) = self.b.panel(column, width, (entries, columns));
        let starts = self.a.starts::<R>(row);
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        if entries == 0 {
            // Nothing is added up.
        } else if width == V * lanes {
            // Whatever `a` and `b` claim, these slices hold all that the loop below reaches.
            let rows = starts.map(|start| &values[start..][..segments.reach().saturating_add(1)]);
            let panel = &b[start..][..(entries - 1).saturating_mul(step).saturating_add(V * lanes)];
            // SAFETY: an entry lies at most `reach` behind the first of its row, and the last of the
            // panel's rows, V vectors, ends with its slice; any bits are floats.
            unsafe {
                let rows = rows.map(<[f32]>::as_ptr);
                let mut pb = panel.as_ptr();
                for segment in 0..segments.count {
                    let mut at = segment * segments.step;
                    for _ in 0..segments.length {
                        let vectors: [S::f32s; V] =
                            std::array::from_fn(|v| pb.add(v * lanes).cast::<S::f32s>().read_unaligned());
                        for (row, sums) in rows.iter().zip(&mut sums) {
                            let value = simd.splat_f32s(*row.add(at));
                            for v in 0..V {
                                sums[v] = simd.mul_add_e_f32s(value, vectors[v], sums[v]);
                            }
                        }
                        at += segments.entry_step;
                        pb = pb.wrapping_add(step);
                    }
                }
            }
        } else {
            for k in 0..entries {
                let vector = simd.partial_load_f32s(&b[start + k * step..][..width]);
                let at = k / segments.length * segments.step + k % segments.length * segments.entry_step;
                for (start, sums) in starts.iter().zip(&mut sums) {
                    sums[0] = simd.mul_add_e_f32s(simd.splat_f32s(values[start + at]), vector, sums[0]);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            let target = &mut self.out[(row + r) * columns + column..][..width];
            if width == V * lanes {
                let target = target.as_mut_ptr().cast::<S::f32s>();
                for (v, sum) in sums.into_iter().enumerate() {
                    // SAFETY: the slice holds V vectors.
                    unsafe {
                        let target = target.add(v);
                        let sum = if self.add { simd.add_f32s(sum, target.read_unaligned()) } else { sum };
                        target.write_unaligned(sum);
                    }
                }
            } else {
                let sum = if self.add { simd.add_f32s(sums[0], simd.partial_load_f32s(target)) } else { sums[0] };
                simd.partial_store_f32s(target, sum);
            }
        }
    }
}

/// `out` = a · b with `b` (columns of `a`, `columns`); added to `out` with `add`.
pub(super) fn product(out: &mut [f32], a: impl Left, b: Right<'_>, columns: usize, add: bool) {
    pulp::Arch::new().dispatch(Product { out, a, b, columns, add });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_the_sums_they_stand_for_at_every_size() {
        for (rows, columns, inner) in [(1, 1, 1), (7, 5, 3), (13, 24, 9), (12, 16, 4), (18, 33, 20), (5, 48, 0)] {
            let wave = |count: usize, step: f32| (0..count).map(|i| (i as f32 * step).sin()).collect::<Vec<_>>();
            let (a, b) = (wave(rows * inner, 0.7), wave(inner * columns, 0.3));
            let turned: Vec<f32> = (0..inner * rows).map(|i| a[i % rows * inner + i / rows]).collect();
            let sum = |at: usize| (0..inner).map(|k| a[at / columns * inner + k] * b[k * columns + at % columns]).sum();
            let expected: Vec<f32> = (0..rows * columns).map(sum).collect();
            for a in [Matrix::new(&a, rows, inner), Matrix::new(&turned, inner, rows).transposed()] {
                for b in [Right::Rows(&b), Right::Packed(&packed(&b, columns))] {
                    let mut out = vec![1.0; rows * columns];
                    product(&mut out, a, b, columns, false);
                    assert!(out.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{rows}×{columns}×{inner}");
                    product(&mut out, a, b, columns, true);
                    assert!(out.iter().zip(&expected).all(|(a, b)| (a - 2.0 * b).abs() < 1e-5), "added");
                }
            }
        }
    }
}
