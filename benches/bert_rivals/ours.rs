//! Ourselves.

use super::cases::Case;
use tilewise::{Solo, Team};
use tilewise_harness::bert::{Batch, Encoder, Room};
use tilewise_harness::peers::entrant::{self, Entrant, Facts, Numbers};

struct Ours<'a> {
    facts: Facts,
    encoder: &'a Encoder,
    batches: &'a [Batch],
    room: Room,
    team: &'a dyn Team,
}

/// An encoder that takes part.
#[derive(Clone, Copy)]
pub(crate) struct Arm<'a> {
    pub(crate) name: &'a str,
    pub(crate) encoder: &'a Encoder,
    /// Of its linear layers.
    pub(crate) dtype: &'a str,
    /// Whether it is there to be compared with and never called a rival.
    pub(crate) other_precision: bool,
}

impl<'a> Arm<'a> {
    /// The forward pass on packed weights, over the batches of a case.
    pub(crate) fn on(self, case: &'a Case, team: &'a dyn Team) -> Box<dyn Entrant + 'a> {
        Box::new(self.ours(case, team))
    }

    /// The hidden states of all batches.
    pub(crate) fn states(self, case: &'a Case) -> Result<Vec<f32>, String> {
        self.ours(case, &Solo).states()
    }

    fn ours(self, case: &'a Case, team: &'a dyn Team) -> Ours<'a> {
        let facts = Facts {
            name: self.name.into(),
            title: format!("tilewise, {}, {}", self.dtype, tilewise::Isa::best()),
            version: env!("CARGO_PKG_VERSION").into(),
            dtype: self.dtype.into(),
            other_precision: self.other_precision,
            timed: "forward passes over token-packed batches; weights packed beforehand".into(),
            recipe: None,
        };
        let (encoder, batches) = (self.encoder, &case.batches[..]);
        Ours { facts, encoder, batches, room: Room::default(), team }
    }
}

impl Ours<'_> {
    fn states(&mut self) -> Result<Vec<f32>, String> {
        let mut all = Vec::new();
        for batch in self.batches {
            let states = self.encoder.encode(batch, &mut self.room, self.team);
            all.extend_from_slice(states.map_err(|error| error.to_string())?.data());
        }
        Ok(all)
    }
}

impl Entrant for Ours<'_> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn result(&mut self) -> Result<Numbers, String> {
        self.states().map(Numbers::F32)
    }

    fn batch(&mut self, calls: usize) -> Result<entrant::Batch, String> {
        let mut failed = None;
        let batch = entrant::Batch::run(calls, || {
            for batch in self.batches {
                if let Err(error) = self.encoder.encode(batch, &mut self.room, self.team) {
                    failed = Some(error.to_string());
                }
            }
        });
        failed.map_or(Ok(batch), Err)
    }
}
