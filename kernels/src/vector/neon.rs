//! NEON floats come from pulp; bytes go through the plain arrays until the byte dot product of
//! Arm is stable in Rust.

use super::{ByteDot, FloatExtra, GROUP, PANEL, Step};
use crate::isa::{Neon, Scalar, Token};

/// The plain-array vocabulary, which every machine has.
#[inline(always)]
fn scalar() -> Scalar {
    Scalar::detect().expect("every machine has plain arrays")
}

impl ByteDot for Neon {
    type Lhs = [u8; GROUP];
    type Rhs = Step;
    type Acc = [i32; PANEL];

    #[inline(always)]
    fn zero(self) -> Self::Acc {
        scalar().zero()
    }

    #[inline(always)]
    fn resume(self, sums: &[i32; PANEL]) -> Self::Acc {
        scalar().resume(sums)
    }

    #[inline(always)]
    fn load(self, step: &Step) -> Step {
        scalar().load(step)
    }

    #[inline(always)]
    fn broadcast(self, group: [u8; GROUP]) -> [u8; GROUP] {
        scalar().broadcast(group)
    }

    #[inline(always)]
    fn dot(self, acc: Self::Acc, lhs: [u8; GROUP], rhs: Step) -> Self::Acc {
        scalar().dot(acc, lhs, rhs)
    }

    #[inline(always)]
    fn store(self, acc: Self::Acc, out: &mut [i32; PANEL]) {
        scalar().store(acc, out)
    }
}

#[allow(unsafe_code, reason = "the contract is the trait's; an ordinary store needs none")]
impl FloatExtra for pulp::aarch64::Neon {
    type Panel = [Self::f32s; 4];
    const STREAMS: bool = false;

    #[inline(always)]
    unsafe fn stream_f32s(self, to: &mut Self::f32s, value: Self::f32s) {
        *to = value;
    }

    #[inline(always)]
    unsafe fn stream_f64s(self, to: &mut Self::f64s, value: Self::f64s) {
        *to = value;
    }

    #[inline(always)]
    fn stream_fence(self) {}

    #[inline(always)]
    fn prefetch<T>(self, _address: *const T) {}
}
