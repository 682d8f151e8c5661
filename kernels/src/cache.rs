//! Cache sizes: the numbers every blocking estimate starts from.
//!
//! Read from CPUID here (a library does no I/O); the tuner reads the same struct from the
//! operating system, which knows more under hypervisors. Recipes are estimated from these, and
//! a wrong size costs speed, never correctness.

/// Data cache sizes as one core sees them, in bytes.
///
/// ```
/// let caches = tilewise::cache::CacheSizes::detect();
/// assert!(caches.l1d <= caches.l2 && caches.l2 <= caches.l3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CacheSizes {
    /// First-level data cache of one core.
    pub l1d: usize,
    /// Second-level cache of one core.
    pub l2: usize,
    /// Last-level cache, shared; equal to `l2` where there is none.
    pub l3: usize,
    /// Who said so.
    pub source: CacheSource,
}

/// Where cache sizes were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum CacheSource {
    /// The CPU itself.
    Cpuid,
    /// The operating system (`/sys/devices/system/cpu`).
    Sysfs,
    /// Nobody: [`CacheSizes::ASSUMED`].
    Assumed,
}

impl CacheSizes {
    /// What is assumed where nothing can be read: the smallest sizes of a decade of server cores
    /// (Intel Haswell to AMD Zen 5), because blocks that are too small cost less than blocks that
    /// do not fit.
    pub const ASSUMED: CacheSizes =
        CacheSizes { l1d: 32 << 10, l2: 256 << 10, l3: 2 << 20, source: CacheSource::Assumed };

    /// Reads CPUID, or gives [`CacheSizes::ASSUMED`] where there is none. A process asks once: a
    /// virtual CPU leaves to answer, and all the questions take 50 us (Zen 3).
    pub fn detect() -> CacheSizes {
        let ask = || Self::from_cpuid().unwrap_or(Self::ASSUMED);
        #[cfg(feature = "std")]
        {
            static SIZES: std::sync::OnceLock<CacheSizes> = std::sync::OnceLock::new();
            *SIZES.get_or_init(ask)
        }
        #[cfg(not(feature = "std"))]
        ask()
    }

    #[cfg(target_arch = "x86_64")]
    fn from_cpuid() -> Option<CacheSizes> {
        use raw_cpuid::{CacheType, CpuId};
        // AMD answers the same question on another leaf, which raw-cpuid chooses by vendor.
        let mut size = [0usize; 4];
        for cache in CpuId::new().get_cache_parameters()? {
            let level = cache.level() as usize;
            if level < size.len()
                && matches!(cache.cache_type(), CacheType::Data | CacheType::Unified)
            {
                size[level] = cache.sets()
                    * cache.associativity()
                    * cache.coherency_line_size()
                    * cache.physical_line_partitions();
            }
        }
        let [_, l1d, l2, l3] = size;
        (l1d > 0 && l2 > 0).then(|| CacheSizes {
            l1d,
            l2,
            l3: l3.max(l2),
            source: CacheSource::Cpuid,
        })
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn from_cpuid() -> Option<CacheSizes> {
        None
    }
}
