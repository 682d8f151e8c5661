//! How rows are cut, and copies of their ends with what a boundary says beside them. Whose rows they
//! are it does not know.

use super::Boundary;
use crate::buffer::LINE;
use crate::vector::{Real, Row, Strip};

/// What there is along a row, in numbers from where the rows given begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Across {
    /// Whole lines that are updated.
    pub(super) updated: [usize; 2],
    /// Where the grid begins and ends; a tile may hold neither end.
    pub(super) grid: [isize; 2],
    pub(super) boundary: Boundary,
}

/// Copies of the ends of rows, a line of numbers with a line to either side: one for every strip.
pub(super) type Ends<T> = [[T; ENDS]];

/// Numbers of three lines, of the smaller kind of number.
pub(super) const ENDS: usize = 3 * LINE / size_of::<f32>();

/// Copies a line of a row from number `start` on, with `radius` numbers to either side: what the
/// boundary says where they are past the grid but near enough for a point of it to ask.
pub(super) fn copy<T: Real>(
    row: Row<'_, T>,
    start: usize,
    (radius, across): (usize, Across),
    to: &mut [T; ENDS],
) {
    let Across { grid: [begin, end], boundary, .. } = across;
    let (radius, beside) = (radius as isize, Strip::<T>::BESIDE as isize);
    for off in -radius..beside + radius {
        let at = start as isize + off;
        if at < begin - radius || at >= end + radius {
            continue;
        }
        let outside = at < begin || at >= end;
        let place = match outside {
            true => begin + boundary.find(at - begin, (end - begin) as usize) as isize,
            false => at,
        };
        // A tile that ends short of the grid does not need what stands past its own end.
        if (0..row.length() as isize).contains(&place) {
            to[(beside + off) as usize] = row.number(place as usize);
        }
    }
}
