//! Ourselves where floats come out: whatever call it is that makes them.

use tilewise_harness::peers::entrant::{Batch, Entrant, Facts, Numbers};

struct Call<C> {
    facts: Facts,
    call: C,
    out: Vec<f32>,
}

/// An entrant whose `call` fills `len` numbers.
pub(crate) fn entrant<'a>(
    facts: Facts,
    len: usize,
    call: impl FnMut(&mut [f32]) + 'a,
) -> Box<dyn Entrant + 'a> {
    Box::new(Call { facts, call, out: vec![0.0; len] })
}

impl<C: FnMut(&mut [f32])> Entrant for Call<C> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn result(&mut self) -> Result<Numbers, String> {
        (self.call)(&mut self.out);
        Ok(Numbers::F32(self.out.clone()))
    }

    fn batch(&mut self, calls: usize) -> Result<Batch, String> {
        Ok(Batch::run(calls, || (self.call)(&mut self.out)))
    }
}
