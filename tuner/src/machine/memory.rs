//! How much memory there is, and how much of it this process may still take.

use super::files::Files;
use super::{Reading, groups};

/// Main memory in bytes.
pub(super) fn total(files: &Files) -> Reading<u64> {
    files.parse("proc/meminfo", |text| entry(text, "MemTotal:"))
}

/// What the system can give without taking from others, within the limits of control groups.
pub(super) fn available(files: &Files) -> Reading<u64> {
    let room = groups::least(files, "memory", |folder| room(files, folder));
    let room = room.known().copied().flatten().map_or(u64::MAX, |bytes| bytes as u64);
    files.parse("proc/meminfo", |text| entry(text, "MemAvailable:")).map(|bytes| bytes.min(room))
}

/// What one group leaves: its limit less what it has, without files nobody has looked at lately,
/// which make room.
fn room(files: &Files, folder: &str) -> Option<f64> {
    let number = |name: &str| -> Option<f64> {
        files.line(&format!("{folder}/{name}")).known()?.parse().ok()
    };
    let (limit, used) = match number("memory.max") {
        Some(limit) => (limit, number("memory.current")?),
        None => (number("memory.limit_in_bytes")?, number("memory.usage_in_bytes")?),
    };
    let stat = files.text(&format!("{folder}/memory.stat"));
    let files = stat.known().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("inactive_file "))?;
        line.trim().parse::<f64>().ok()
    });
    Some((limit - used + files.unwrap_or(0.0)).max(0.0))
}

/// An entry of `/proc/meminfo`, in bytes.
fn entry(meminfo: &str, name: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
