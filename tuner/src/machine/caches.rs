//! Cache sizes as the operating system tells them: it knows more than CPUID under hypervisors.

use super::files::Files;
use tilewise::cache::{CacheSizes, CacheSource};

/// From `/sys`, else from CPUID, else assumed.
pub(super) fn read(files: &Files) -> CacheSizes {
    from_sysfs(files).unwrap_or_else(CacheSizes::detect)
}

fn from_sysfs(files: &Files) -> Option<CacheSizes> {
    const FOLDER: &str = "sys/devices/system/cpu/cpu0/cache";
    let mut size = [0usize; 4];
    for index in files.names(FOLDER).iter().filter(|name| name.starts_with("index")) {
        let read = |what| files.line(&format!("{FOLDER}/{index}/{what}")).known().cloned();
        let level: usize = read("level")?.parse().ok()?;
        if level < size.len() && read("type")? != "Instruction" {
            size[level] = parse_size(&read("size")?)?;
        }
    }
    let [_, l1d, l2, l3] = size;
    let all = CacheSizes { l1d, l2, l3: l3.max(l2), source: CacheSource::Sysfs };
    (l1d > 0 && l2 > 0).then_some(all)
}

/// `48K`, `32M` or a plain number of bytes.
fn parse_size(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(['K', 'M']);
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn data_caches_of_the_first_core() {
        let root = tempfile::tempdir().expect("a folder");
        let caches = [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "2M")];
        for (i, (level, kind, size)) in caches.into_iter().enumerate() {
            let folder = root.path().join(format!("sys/devices/system/cpu/cpu0/cache/index{i}"));
            fs::create_dir_all(&folder).expect("a folder");
            for (name, text) in [("level", level), ("type", kind), ("size", size)] {
                fs::write(folder.join(name), format!("{text}\n")).expect("a file");
            }
        }
        let found = read(&Files::below(root.path()));
        let (l1d, l2) = (48 << 10, 2 << 20);
        assert_eq!(found, CacheSizes { l1d, l2, l3: l2, source: CacheSource::Sysfs });
    }

    #[test]
    fn without_sysfs_the_cpu_is_asked() {
        let root = tempfile::tempdir().expect("a folder");
        assert_eq!(read(&Files::below(root.path())), CacheSizes::detect());
        assert_eq!(parse_size("12Q"), None);
        assert_eq!(parse_size("99999999999999999999K"), None);
    }
}
