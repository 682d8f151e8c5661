//! What CPUID says.

use super::Reading;
use serde::{Deserialize, Serialize};

/// A processor's name for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// The twelve letters of its maker.
    pub vendor: String,
    /// Family, the extended part included.
    pub family: u32,
    /// Model, the extended part included.
    pub model: u32,
    /// Stepping.
    pub stepping: u32,
    /// The name on the box; hypervisors shorten it.
    pub brand: String,
}

impl Cpu {
    /// The maker in lower-case letters: `intel`, `amd`, and others cleaned of all but letters.
    pub(super) fn short_vendor(&self) -> String {
        match self.vendor.as_str() {
            "GenuineIntel" => "intel".into(),
            "AuthenticAMD" => "amd".into(),
            "HygonGenuine" => "hygon".into(),
            other => {
                let letters = other.chars().filter(char::is_ascii_alphanumeric);
                letters.map(|letter| letter.to_ascii_lowercase()).collect()
            }
        }
    }
}

impl std::fmt::Display for Cpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Cpu { vendor, family, model, stepping, brand } = self;
        write!(f, "{brand} ({vendor} family {family} model {model} stepping {stepping})")
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Cpu, Reading};
    use raw_cpuid::{CpuId, Hypervisor};

    impl Cpu {
        pub(in super::super) fn read() -> Reading<Cpu> {
            let cpuid = CpuId::new();
            let (Some(vendor), Some(id)) = (cpuid.get_vendor_info(), cpuid.get_feature_info())
            else {
                return Reading::unreadable("CPUID has no leaf 1");
            };
            let brand = cpuid.get_processor_brand_string();
            Reading::Known(Cpu {
                vendor: vendor.as_str().to_owned(),
                family: id.family_id().into(),
                model: id.model_id().into(),
                stepping: id.stepping_id().into(),
                brand: brand.map_or(String::new(), |brand| brand.as_str().trim().to_owned()),
            })
        }
    }

    pub(in super::super) fn hypervisor() -> Reading<Option<String>> {
        let cpuid = CpuId::new();
        Reading::Known(cpuid.get_hypervisor_info().map(|info| match info.identify() {
            Hypervisor::Unknown(..) => "unknown".to_owned(),
            known => format!("{known:?}"),
        }))
    }

    pub(in super::super) fn features() -> Vec<String> {
        macro_rules! detected {
            ($($feature:tt)*) => {
                [$(($feature, std::arch::is_x86_feature_detected!($feature))),*]
            };
        }
        let all = detected![
            "sse4.1" "avx" "avx2" "fma" "f16c" "avxvnni" "avx512f" "avx512bw" "avx512cd"
            "avx512dq" "avx512vl" "avx512vnni" "avx512vbmi" "avx512bf16" "avx512fp16"
        ];
        all.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).to_owned()).collect()
    }
}
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{features, hypervisor};

#[cfg(not(target_arch = "x86_64"))]
mod other {
    use super::{Cpu, Reading};

    const WHY: &str = "this CPU has no CPUID instruction";

    impl Cpu {
        pub(in super::super) fn read() -> Reading<Cpu> {
            Reading::unreadable(WHY)
        }
    }

    pub(in super::super) fn hypervisor() -> Reading<Option<String>> {
        Reading::unreadable(WHY)
    }

    pub(in super::super) fn features() -> Vec<String> {
        Vec::new()
    }
}
#[cfg(not(target_arch = "x86_64"))]
pub(super) use other::{features, hypervisor};
