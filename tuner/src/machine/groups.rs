//! Control groups: limits that stand above this process, at any level.

use super::Reading;
use super::files::Files;

/// The least of what `limit` finds in the folders of the groups of a controller this process is
/// in, up to their root; `None` without any limit.
pub(super) fn least(
    files: &Files,
    controller: &str,
    limit: impl Fn(&str) -> Option<f64>,
) -> Reading<Option<f64>> {
    files.text("proc/self/cgroup").map(|groups| {
        let folders = groups.lines().flat_map(|line| folders(line, controller));
        folders.filter_map(|folder| limit(&folder)).reduce(f64::min)
    })
}

/// Where the group of a line and those above it may be.
fn folders(line: &str, controller: &str) -> Vec<String> {
    // hierarchy:controllers:path, with no controllers in version 2.
    let rest = line.split_once(':').map_or("", |(_, rest)| rest);
    let Some((controllers, path)) = rest.split_once(':') else { return Vec::new() };
    let names = match controllers {
        "" => ["", "/unified"].map(String::from),
        _ if controllers.split(',').any(|name| name == controller) => {
            [controllers, controller].map(|name| format!("/{name}"))
        }
        _ => return Vec::new(),
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let below = |depth: usize| parts[..depth].iter().map(|part| format!("/{part}")).collect();
    let levels: Vec<String> = (0..=parts.len()).map(below).collect();
    let mounts = names
        .iter()
        .flat_map(|name| levels.iter().map(move |level| format!("sys/fs/cgroup{name}{level}")));
    mounts.collect()
}
