//! The heat equation: `u + c (sum of the neighbours - 4 u)` in two dimensions, 6 in three, in the
//! order of operations of `tilewise::stencil`.

use crate::abi::{Pairs, Sweep};
use core::cell::Cell;

/// Makes the functions of one float type; generic arithmetic would say the same at more length.
macro_rules! stencils {
    ($float:ty, $heat5_rows:ident, $heat5_strips:ident, $heat7_planes:ident, $heat7_strips:ident,
     $heat5_pairs:ident, $heat7_pairs:ident) => {
        /// 2D: for each y, for each x.
        pub(crate) extern "C" fn $heat5_rows(sweep: Sweep<'_, $float>) {
            let strip = sweep.extent[0];
            $heat5_strips(Sweep { strip, ..sweep });
        }

        /// 2D, cut into strips of columns so that three rows of a strip fit in a cache: for each
        /// strip, for each y, for each x.
        pub(crate) extern "C" fn $heat5_strips(sweep: Sweep<'_, $float>) {
            let Sweep { from, to, extent: [nx, ny, _], coefficient, strip } = sweep;
            let (from, to) = (from.get(), to.get());
            for x in (1..nx.saturating_sub(1)).step_by(strip.max(1)) {
                let len = strip.min(nx - 1 - x);
                for y in 1..ny.saturating_sub(1) {
                    let at = y * nx + x;
                    let row = |at: usize| from.get(at..at + len).unwrap_or_default();
                    let inputs = row(at).iter().zip(row(at - 1)).zip(row(at + 1));
                    let inputs = inputs.zip(row(at - nx)).zip(row(at + nx));
                    let to = to.get_mut(at..at + len).unwrap_or_default();
                    for (to, ((((u, west), east), north), south)) in to.iter_mut().zip(inputs) {
                        let sum = (west + east) + (north + south);
                        *to = u + coefficient * (sum - 4.0 * u);
                    }
                }
            }
        }

        /// 3D: for each z, for each y, for each x.
        pub(crate) extern "C" fn $heat7_planes(sweep: Sweep<'_, $float>) {
            let strip = sweep.extent[1];
            $heat7_strips(Sweep { strip, ..sweep });
        }

        /// 3D, cut into strips of rows so that three planes of a strip fit in a cache: for each
        /// strip, for each z, for each y, for each x.
        pub(crate) extern "C" fn $heat7_strips(sweep: Sweep<'_, $float>) {
            let Sweep { from, to, extent: [nx, ny, nz], coefficient, strip } = sweep;
            let (from, to) = (from.get(), to.get());
            let (len, plane) = (nx.saturating_sub(2), nx * ny);
            for first in (1..ny.saturating_sub(1)).step_by(strip.max(1)) {
                for z in 1..nz.saturating_sub(1) {
                    for y in first..(first + strip).min(ny - 1) {
                        let at = z * plane + y * nx + 1;
                        let row = |at: usize| from.get(at..at + len).unwrap_or_default();
                        let inputs = row(at).iter().zip(row(at - 1)).zip(row(at + 1));
                        let inputs = inputs.zip(row(at - nx)).zip(row(at + nx));
                        let inputs = inputs.zip(row(at - plane)).zip(row(at + plane));
                        let to = to.get_mut(at..at + len).unwrap_or_default();
                        for (to, ((((((u, west), east), north), south), below), above)) in
                            to.iter_mut().zip(inputs)
                        {
                            let sum = ((west + east) + (north + south)) + (below + above);
                            *to = u + coefficient * (sum - 6.0 * u);
                        }
                    }
                }
            }
        }

        /// 2D, an array of structures: a point's two values side by side; for each y, for each x.
        pub(crate) extern "C" fn $heat5_pairs(pairs: Pairs<'_, $float>) {
            let Pairs { points, extent: [nx, ny, _], coefficient, from } = pairs;
            let points = shared(points.get());
            for y in 1..ny.saturating_sub(1) {
                let at = y * nx + 1;
                let row = |at: usize| points.get(at..at + nx.saturating_sub(2)).unwrap_or_default();
                let inputs = row(at - 1).iter().zip(row(at + 1)).zip(row(at - nx)).zip(row(at + nx));
                for (point, (((west, east), north), south)) in row(at).iter().zip(inputs) {
                    let old = |point| value(point, from).get();
                    let sum = (old(west) + old(east)) + (old(north) + old(south));
                    let u = old(point);
                    value(point, 1 - from).set(u + coefficient * (sum - 4.0 * u));
                }
            }
        }

        /// 3D, an array of structures: for each z, for each y, for each x.
        pub(crate) extern "C" fn $heat7_pairs(pairs: Pairs<'_, $float>) {
            let Pairs { points, extent: [nx, ny, nz], coefficient, from } = pairs;
            let points = shared(points.get());
            let (len, plane) = (nx.saturating_sub(2), nx * ny);
            for z in 1..nz.saturating_sub(1) {
                for y in 1..ny.saturating_sub(1) {
                    let at = z * plane + y * nx + 1;
                    let row = |at: usize| points.get(at..at + len).unwrap_or_default();
                    let inputs = row(at - 1).iter().zip(row(at + 1));
                    let inputs = inputs.zip(row(at - nx)).zip(row(at + nx));
                    let inputs = inputs.zip(row(at - plane)).zip(row(at + plane));
                    for (point, (((((west, east), north), south), below), above)) in
                        row(at).iter().zip(inputs)
                    {
                        let old = |point| value(point, from).get();
                        let sum = ((old(west) + old(east)) + (old(north) + old(south)))
                            + (old(below) + old(above));
                        let u = old(point);
                        value(point, 1 - from).set(u + coefficient * (sum - 6.0 * u));
                    }
                }
            }
        }
    };
}

/// Points as they are written in C: everybody may read and write all of them.
#[inline(always)]
fn shared<T>(points: &mut [T]) -> &[[Cell<T>; 2]] {
    Cell::from_mut(points).as_slice_of_cells().as_chunks().0
}

/// One of a point's two values.
#[inline(always)]
fn value<T>(point: &[Cell<T>; 2], which: usize) -> &Cell<T> {
    if which == 0 { &point[0] } else { &point[1] }
}

#[rustfmt::skip]
stencils!(f32, heat5_rows_f32, heat5_strips_f32, heat7_planes_f32, heat7_strips_f32, heat5_pairs_f32, heat7_pairs_f32);
#[rustfmt::skip]
stencils!(f64, heat5_rows_f64, heat5_strips_f64, heat7_planes_f64, heat7_strips_f64, heat5_pairs_f64, heat7_pairs_f64);
