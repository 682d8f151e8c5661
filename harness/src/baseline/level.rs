//! The levels of CPU features the plain source is compiled for.

use serde::Serialize;
use std::fmt;

/// A set of CPU features the compiler was allowed to use, worst first.
///
/// These are not the instruction sets tilewise has code for: an AVX-512 CPU without VNNI runs
/// tilewise's AVX2 code, but the compiler may use all of AVX-512 on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub enum Level {
    /// What every CPU of the target has.
    #[serde(rename = "base")]
    Base,
    /// AVX2 and FMA.
    #[serde(rename = "x86-64-v3")]
    V3,
    /// AVX2, FMA and AVX-VNNI.
    #[serde(rename = "x86-64-v3+avxvnni")]
    V3Vnni,
    /// AVX-512 F, BW, CD, DQ, VL, all 512 bits of it.
    #[serde(rename = "x86-64-v4")]
    V4,
    /// That with AVX-512 VNNI.
    #[serde(rename = "x86-64-v4+avx512vnni")]
    V4Vnni,
}

impl Level {
    /// The compiler's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Base if cfg!(target_arch = "x86_64") => "x86-64",
            Level::Base => std::env::consts::ARCH,
            Level::V3 => "x86-64-v3",
            Level::V3Vnni => "x86-64-v3+avxvnni",
            Level::V4 => "x86-64-v4",
            Level::V4Vnni => "x86-64-v4+avx512vnni",
        }
    }

    /// Whether this CPU has every feature of it.
    pub fn is_available(self) -> bool {
        #[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
        return x86::has(self);
        #[cfg(not(all(target_arch = "x86_64", not(tilewise_portable))))]
        return self == Level::Base;
    }

    /// The widest vector register, in bytes; of the base level of x86-64 elsewhere too.
    pub const fn vector_bytes(self) -> usize {
        match self {
            Level::Base => 16,
            Level::V3 | Level::V3Vnni => 32,
            Level::V4 | Level::V4Vnni => 64,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
mod x86 {
    use super::Level;
    use std::arch::is_x86_feature_detected as cpu_has;

    /// The features of a level as the x86-64 psABI lists them.
    pub(super) fn has(level: Level) -> bool {
        let v3 = || {
            cpu_has!("sse3")
                && cpu_has!("ssse3")
                && cpu_has!("sse4.1")
                && cpu_has!("sse4.2")
                && cpu_has!("popcnt")
                && cpu_has!("cmpxchg16b")
                && cpu_has!("avx")
                && cpu_has!("avx2")
                && cpu_has!("bmi1")
                && cpu_has!("bmi2")
                && cpu_has!("f16c")
                && cpu_has!("fma")
                && cpu_has!("lzcnt")
                && cpu_has!("movbe")
                && cpu_has!("xsave")
        };
        let v4 = || {
            v3() && cpu_has!("avx512f")
                && cpu_has!("avx512bw")
                && cpu_has!("avx512cd")
                && cpu_has!("avx512dq")
                && cpu_has!("avx512vl")
        };
        match level {
            Level::Base => true,
            Level::V3 => v3(),
            Level::V3Vnni => v3() && cpu_has!("avxvnni"),
            Level::V4 => v4(),
            Level::V4Vnni => v4() && cpu_has!("avx512vnni"),
        }
    }
}
