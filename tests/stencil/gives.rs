//! Random starts, and whether a plan makes of one what it must: the same bits, with NaN in
//! everything that no result may come from.

use crate::fields::{noise, points};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tilewise::Team;
use tilewise::stencil::reference::State;
use tilewise::stencil::{Extent, Form, Grid, Plan};
use tilewise::vector::Real;

/// Bits of the two kinds of number.
pub(crate) trait Number: Real {
    fn bits(self) -> u64;
}

impl Number for f32 {
    fn bits(self) -> u64 {
        self.to_bits().into()
    }
}

impl Number for f64 {
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// Values in -1..1 from a seed.
pub(crate) fn field<T: Real>(extent: Extent, seed: u64) -> Vec<T> {
    points(extent).map(|at| T::from_f64(noise(seed, at))).collect()
}

/// Random fields for a formula: now, one step before, and media in 0.2..1.
pub(crate) fn state<T: Real>(form: Form, extent: Extent, seed: u64) -> State<T> {
    let of = |count: usize, stream: u64| -> Vec<T> {
        (0..count as u64).flat_map(|index| field(extent, seed ^ (stream + index) << 8)).collect()
    };
    let medium = |value: T| T::from_f64(0.6 + 0.4 * Into::<f64>::into(value));
    State {
        now: of(form.fields, 1),
        before: of(form.fields * (form.levels - 1), 10),
        media: of(form.media, 20).into_iter().map(medium).collect(),
    }
}

/// Makes a grid what the state is, and NaN all that is not part of it: the padding, what tiles
/// keep, and the buffer that the first step goes to where nothing is read there before.
fn load<T: Real>(grid: &mut Grid<T>, state: &State<T>) {
    let poison = T::from_f64(f64::NAN);
    grid.set_before(&vec![poison; state.now.len()]).unwrap();
    grid.copy_from_slice(&state.now).unwrap();
    if !state.before.is_empty() {
        grid.set_before(&state.before).unwrap();
    }
    if !state.media.is_empty() {
        grid.set_media(&state.media).unwrap();
    }
    grid.fill_padding(poison);
    grid.fill_scratch(poison);
}

/// Whether a plan gives these bits.
pub(crate) fn gives<T: Number>(
    plan: &Plan<T>,
    start: (&State<T>, usize),
    expected: &[T],
    team: &dyn Team,
) -> Result<(), TestCaseError> {
    let mut grid = Grid::with_fields(plan.extent(), plan.form().fields).unwrap();
    gives_on(&mut grid, plan, start, expected, team)
}

/// The same on a grid that is there, whatever is in it.
pub(crate) fn gives_on<T: Number>(
    grid: &mut Grid<T>,
    plan: &Plan<T>,
    (start, steps): (&State<T>, usize),
    expected: &[T],
    team: &dyn Team,
) -> Result<(), TestCaseError> {
    let mut found = start.now.clone();
    // The first run makes the room for tiles, so that it is the second one that has NaN in it, and
    // what the first one left in the buffers.
    for run in ["first", "second"] {
        load(grid, start);
        plan.run(grid, steps, team).unwrap();
        grid.copy_to_slice(&mut found).unwrap();
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            let (found, expected) = (found.bits(), expected.bits());
            prop_assert_eq!(found, expected, "{} run, point {} on {}", run, at, plan.isa());
        }
    }
    Ok(())
}
