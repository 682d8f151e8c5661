//! A plan with register operations of the caller's own.

use super::epilogue::Write;
use super::{Error, Lhs, Output, PackedWeights, Plan, Scratch};
use crate::matrix::MatrixMut;
use crate::team::Team;
use crate::vector::Vocabulary;

/// A [`Plan`] that multiplies with a token of the caller's own, made by [`Plan::on`].
#[derive(Clone, Copy, Debug)]
pub struct Backend<T> {
    plan: Plan,
    token: T,
}

impl Plan {
    /// This plan on a back-end outside this crate: for an instruction set that is not here, or
    /// not yet. Where [`Isa`](crate::Isa) has the instruction set, [`Plan::run`] is all it takes.
    ///
    /// A back-end is a type with a [`Token`](crate::isa::Token), the proof that the CPU has it,
    /// and a [`ByteDot`](crate::vector::ByteDot), its register operations. Its token goes by the
    /// name of an instruction set, whose tiles it uses. `tests/backend.rs` has a small one.
    ///
    /// # Errors
    /// [`Error::Token`] when the plan is for another instruction set.
    pub fn on<T: Vocabulary>(self, token: T) -> Result<Backend<T>, Error> {
        if self.isa != T::ISA {
            return Err(Error::Token { token: T::ISA, plan: self.isa });
        }
        Ok(Backend { plan: Plan { chooses: T::CHOOSES, ..self }, token })
    }
}

impl<T: Vocabulary> Backend<T> {
    /// As [`Plan::scratch_bytes`].
    pub fn scratch_bytes(&self, threads: usize) -> usize {
        self.plan.scratch_bytes(threads)
    }

    /// As [`Plan::scratch_bytes_for_bytes`].
    pub fn scratch_bytes_for_bytes(&self, threads: usize) -> usize {
        self.plan.scratch_bytes_for_bytes(threads)
    }

    /// As [`Plan::scratch`].
    ///
    /// # Errors
    /// As there.
    pub fn scratch(&self, threads: usize) -> Result<Scratch, Error> {
        self.plan.scratch(threads)
    }

    /// As [`Plan::run`].
    ///
    /// # Errors
    /// As there.
    pub fn run<O: Output>(
        &self,
        lhs: Lhs<'_>,
        weights: &PackedWeights,
        output: &O,
        out: MatrixMut<'_, O::Element>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        let (columns, stride) = (out.cols(), out.stride());
        self.plan.check_output(lhs.rows(), output, [out.rows(), columns])?;
        let call = self.plan.call(lhs, weights, scratch)?;
        let out = out.into_disjoint();
        let write = Write::new(self.token, output, &out).at(0, columns, stride);
        call.run_on(self.token, &write, team);
        Ok(())
    }
}
