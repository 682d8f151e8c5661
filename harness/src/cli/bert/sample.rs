//! Whether what an encoder makes of token numbers is right.

use super::open::{Opened, failure};
use crate::cli::failure::Failure;
use tilewise::attention::Attention;
use tilewise::{Solo, Team};
use tilewise_harness::bert::{Batch, Encoder, Precision, Room, reference, tolerance};
use tilewise_harness::workload::Check;

/// Tokens of the sequence that is compared with the reference, which takes seconds for more: as
/// many as it takes for attention in bytes.
const PROBE: usize = Attention::FEWEST_IN_BYTES;

/// Compares a few tokens with plain loops in 64 bits, and every sequence of the batch with itself
/// alone on one thread, to the bit.
pub(super) fn check(
    model: &Opened,
    (encoder, precision): (&Encoder, Precision<'_>),
    batch: &Batch,
    team: &dyn Team,
) -> Result<Check, Failure> {
    let mut room = Room::default();
    let first = &batch.ids()[batch.sequence(0)];
    let mut probe = Batch::default();
    probe.push(&first[..first.len().min(PROBE)]);
    let exact = reference::encode(&model.config, &*model.source, &probe).map_err(failure)?;
    let largest = exact.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let expected: Vec<f32> = exact.iter().map(|&x| x as f32).collect();
    let states = encoder.encode(&probe, &mut room, team).map_err(failure)?;
    let tolerance = tolerance(precision, largest);
    let title = "plain loops in 64 bits";
    let check = Check::compare(title, states.data(), &expected, tolerance);
    let together = encoder.encode(batch, &mut room, team).map_err(failure)?;
    let together = together.data().to_vec();
    let mut alone = Room::default();
    for index in 0..batch.len() {
        let mut one = Batch::default();
        one.push(&batch.ids()[batch.sequence(index)]);
        let states = encoder.encode(&one, &mut alone, &Solo).map_err(failure)?;
        let columns = states.cols();
        let tokens = batch.sequence(index);
        let same = &together[tokens.start * columns..tokens.end * columns];
        let title = "the same sequence alone on one thread";
        let equal = Check::compare(title, same, states.data(), 0.0);
        if !equal.passed() {
            return Ok(equal);
        }
    }
    Ok(check)
}
