//! The instruction sets tilewise has code for, and the tokens that prove a CPU has one.
//!
//! [`Isa`] is a name: plain data, safe to store in files and to print in reports. A [`Token`] is
//! the proof: a value of, say, `Avx512Vnni` exists only where the CPU has every feature on its
//! list, so the register operations built on it (`vector`) need no checks of their own. This file
//! knows nothing of any algorithm.

use core::fmt;
use core::str::FromStr;

/// An instruction set by name, in order of preference (later is faster).
///
/// ```
/// use tilewise::Isa;
/// let isa: Isa = "avx2".parse()?;
/// assert_eq!(isa.name(), "avx2");
/// assert!(Isa::Scalar.is_available());
/// assert!(Isa::available().any(|isa| isa == Isa::best()));
/// # Ok::<(), tilewise::isa::UnknownIsa>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Isa {
    /// Plain arrays; what every machine has and what every other one is compared with.
    Scalar,
    /// 128-bit NEON for floats, plain arrays for bytes (aarch64).
    Neon,
    /// 256-bit AVX2 and FMA; bytes are widened to 16 bits wherever a sum could saturate.
    Avx2,
    /// AVX2 with the 256-bit byte dot product (`vpdpbusd ymm`).
    AvxVnni,
    /// AVX-512 F, BW, CD, DQ, VL (x86-64-v4); bytes as with AVX2, on 512-bit registers.
    Avx512,
    /// AVX-512 F, BW, CD, DQ, VL with the 512-bit byte dot product (`vpdpbusd zmm`).
    Avx512Vnni,
}

impl Isa {
    /// Every name, in order of preference.
    pub const ALL: [Isa; 6] =
        [Isa::Scalar, Isa::Neon, Isa::Avx2, Isa::AvxVnni, Isa::Avx512, Isa::Avx512Vnni];

    /// The name used on the command line, in wisdom and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Neon => "neon",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avx-vnni",
            Isa::Avx512 => "avx512",
            Isa::Avx512Vnni => "avx512-vnni",
        }
    }

    /// Whether this CPU (and the operating system's register saving) has it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Scalar => true,
            #[cfg(all(target_arch = "aarch64", not(tilewise_portable)))]
            Isa::Neon => Neon::detect().is_some(),
            #[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
            Isa::Avx2 => Avx2::detect().is_some(),
            #[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
            Isa::AvxVnni => AvxVnni::detect().is_some(),
            #[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
            Isa::Avx512 => Avx512::detect().is_some(),
            #[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
            Isa::Avx512Vnni => Avx512Vnni::detect().is_some(),
            #[allow(unreachable_patterns, reason = "which names have code depends on the target")]
            _ => false,
        }
    }

    /// The instruction sets this build has code for, slowest first. Not every CPU it runs on has
    /// them: see [`Isa::available`].
    pub fn compiled() -> impl Iterator<Item = Isa> + Clone {
        Isa::ALL.into_iter().filter(|isa| match isa {
            Isa::Scalar => true,
            Isa::Neon => cfg!(all(target_arch = "aarch64", not(tilewise_portable))),
            _ => cfg!(all(target_arch = "x86_64", not(tilewise_portable))),
        })
    }

    /// The instruction sets of this CPU, slowest first. Never empty: [`Isa::Scalar`] is always
    /// there.
    pub fn available() -> impl Iterator<Item = Isa> + Clone {
        Isa::ALL.into_iter().filter(|isa| isa.is_available())
    }

    /// The instruction set whose code works on floats: those that add a dot product of bytes to
    /// another have nothing more for floats than that one.
    ///
    /// ```
    /// use tilewise::Isa;
    /// assert_eq!(Isa::Avx512Vnni.floats(), Isa::Avx512);
    /// assert_eq!(Isa::Scalar.floats(), Isa::Scalar);
    /// ```
    pub const fn floats(self) -> Isa {
        match self {
            Isa::AvxVnni => Isa::Avx2,
            Isa::Avx512Vnni => Isa::Avx512,
            other => other,
        }
    }

    /// How many `f32` one of its registers holds, whether this CPU has it or not.
    ///
    /// ```
    /// use tilewise::Isa;
    /// assert_eq!(Isa::Avx2.lanes(), 8);
    /// assert_eq!(Isa::Scalar.lanes(), 1);
    /// ```
    pub const fn lanes(self) -> usize {
        match self {
            Isa::Scalar => 1,
            Isa::Neon => 4,
            Isa::Avx2 | Isa::AvxVnni => 8,
            Isa::Avx512 | Isa::Avx512Vnni => 16,
        }
    }

    /// The instruction set with registers half as wide, if there is code for both.
    ///
    /// ```
    /// use tilewise::Isa;
    /// assert_eq!(Isa::Avx512Vnni.halved(), Some(Isa::Avx2));
    /// assert_eq!(Isa::Avx2.halved(), None);
    /// ```
    pub const fn halved(self) -> Option<Isa> {
        match self {
            Isa::Avx512 | Isa::Avx512Vnni => Some(Isa::Avx2),
            _ => None,
        }
    }

    /// The last, that is fastest, of [`Isa::available`].
    pub fn best() -> Isa {
        Isa::available().last().unwrap_or(Isa::Scalar)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = UnknownIsa;

    fn from_str(name: &str) -> Result<Self, UnknownIsa> {
        Isa::ALL.into_iter().find(|isa| isa.name() == name).ok_or_else(|| UnknownIsa(name.into()))
    }
}

/// A name that is no instruction set of tilewise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown instruction set {0:?}; expected one of {names}", names = Names(Isa::compiled()))]
pub struct UnknownIsa(pub alloc::string::String);

/// An instruction set this CPU does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this CPU has no {0}; it has {names}", names = Names(Isa::available()))]
pub struct MissingIsa(pub Isa);

/// Prints names with commas between them.
struct Names<I>(I);

impl<I: Clone + IntoIterator<Item = Isa>> fmt::Display for Names<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, isa) in self.0.clone().into_iter().enumerate() {
            write!(f, "{}{isa}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Proof that the CPU has an instruction set: holding a value is permission to use it.
///
/// Zero-sized, made only by [`Token::detect`]. Adding an instruction set means adding a token
/// here and its register operations in [`crate::vector`]; a back-end of your own may implement
/// this outside the crate.
pub trait Token: Copy + fmt::Debug + Send + Sync + 'static {
    /// Its name.
    const ISA: Isa;

    /// The float register operations that go with it.
    type Floats: pulp::Simd;

    /// A value if this CPU has every feature on the list.
    fn detect() -> Option<Self>;

    /// The token for float register operations.
    fn floats(self) -> Self::Floats;

    /// Runs `work` compiled for this instruction set. Everything `work` calls must be inlined
    /// into it (`#[inline(always)]` down to the register operations), or it is compiled for the
    /// base instruction set and its register operations become function calls.
    fn run<R>(self, work: impl FnOnce() -> R) -> R;
}

/// The token every machine has.
#[derive(Clone, Copy, Debug)]
pub struct Scalar(());

impl Token for Scalar {
    const ISA: Isa = Isa::Scalar;
    type Floats = pulp::Scalar;

    fn detect() -> Option<Self> {
        Some(Scalar(()))
    }

    #[inline(always)]
    fn floats(self) -> pulp::Scalar {
        pulp::Scalar::new()
    }

    #[inline(always)]
    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }
}

/// Declares a token: one feature list from which detection and the trampoline are derived.
///
/// The list repeats *all* features of the pulp token whose operations run inside it: with fewer,
/// those operations become calls and run six times slower (measured).
#[allow(unused_macros, reason = "targets without vector code declare no token with it")]
macro_rules! token {
    ($(#[$doc:meta])* $name:ident, $floats:ty, $features:literal, $has_more:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name($floats);

        // What a name says of its registers is true of those of its token.
        const _: () = assert!(
            size_of::<<$floats as pulp::Simd>::f32s>() == Isa::$name.lanes() * size_of::<f32>()
        );

        impl Token for $name {
            const ISA: Isa = Isa::$name;
            type Floats = $floats;

            fn detect() -> Option<Self> {
                <$floats>::try_new().filter(|_| $has_more).map(Self)
            }

            #[inline(always)]
            fn floats(self) -> $floats {
                self.0
            }

            #[inline(always)]
            #[allow(unsafe_code, reason = "entering code compiled for features the token proves")]
            fn run<R>(self, work: impl FnOnce() -> R) -> R {
                #[target_feature(enable = $features)]
                fn inside<R>(work: impl FnOnce() -> R) -> R {
                    work()
                }
                // SAFETY: `self` exists only because `detect` found every feature on the list.
                unsafe { inside(work) }
            }
        }
    };
}

#[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
mod x86 {
    use super::{Isa, Token};
    use pulp::x86::{V3, V4};

    /// Asks for a feature the pulp tokens do not know. The standard library remembers the
    /// answer; CPUID itself takes 15 us under a hypervisor, longer than a small product.
    macro_rules! has {
        ($feature:tt, $asked:ident) => {{
            #[cfg(feature = "std")]
            let there = std::arch::is_x86_feature_detected!($feature);
            #[cfg(not(feature = "std"))]
            let there = raw_cpuid::CpuId::new()
                .get_extended_feature_info()
                .is_some_and(|features| features.$asked());
            there
        }};
    }

    token! {
        /// Proof of AVX2 and FMA (the x86-64-v3 level).
        Avx2, V3,
        "sse,sse2,fxsr,sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,bmi1,bmi2,fma,lzcnt",
        true
    }
    token! {
        /// Proof of x86-64-v3 with AVX-VNNI.
        AvxVnni, V3,
        "sse,sse2,fxsr,sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,bmi1,bmi2,fma,lzcnt,avxvnni",
        has!("avxvnni", has_avx_vnni)
    }
    token! {
        /// Proof of x86-64-v4.
        Avx512, V4,
        "sse,sse2,fxsr,sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,bmi1,bmi2,fma,lzcnt,\
         avx512f,avx512bw,avx512cd,avx512dq,avx512vl",
        true
    }
    token! {
        /// Proof of x86-64-v4 with AVX-512 VNNI.
        Avx512Vnni, V4,
        "sse,sse2,fxsr,sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,bmi1,bmi2,fma,lzcnt,\
         avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vnni",
        has!("avx512vnni", has_avx512vnni)
    }
}
#[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
pub use x86::{Avx2, Avx512, Avx512Vnni, AvxVnni};

#[cfg(all(target_arch = "aarch64", not(tilewise_portable)))]
token! {
    /// Proof of NEON.
    Neon, pulp::aarch64::Neon, "neon", true
}
