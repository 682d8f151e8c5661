//! The files in which Linux describes a machine; below another root in tests.

use super::Reading;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    pub(super) fn system() -> Files {
        Files::below(Path::new("/"))
    }

    pub(super) fn below(root: &Path) -> Files {
        Files { root: root.to_owned() }
    }

    /// The whole text of a file.
    pub(super) fn text(&self, path: &str) -> Reading<String> {
        match fs::read_to_string(self.root.join(path)) {
            Ok(text) => Reading::Known(text),
            Err(error) => Reading::unreadable(format!("/{path}: {error}")),
        }
    }

    /// A file of one line, without its end.
    pub(super) fn line(&self, path: &str) -> Reading<String> {
        self.text(path).map(|text| text.trim().to_owned())
    }

    /// What `parse` finds in a file.
    pub(super) fn parse<T>(&self, path: &str, parse: impl Fn(&str) -> Option<T>) -> Reading<T> {
        match self.text(path).map(|text| parse(&text)) {
            Reading::Known(Some(value)) => Reading::Known(value),
            Reading::Known(None) => {
                Reading::unreadable(format!("/{path} does not look as expected"))
            }
            Reading::Unreadable { unreadable_because } => Reading::unreadable(unreadable_because),
        }
    }

    /// Names in a folder; none if it cannot be read.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(path)).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

/// Reads a list like `0-3,8,10-11`; `None` if it is not one.
pub(super) fn parse_list(text: &str) -> Option<Vec<usize>> {
    let mut members = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        // No kernel counts further: the largest NR_CPUS that can be configured is 8192.
        members.extend(first..=std::cmp::min(last, 8191));
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::parse_list;

    #[test]
    fn lists_are_ranges_and_numbers() {
        assert_eq!(parse_list("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_list(""), Some(vec![]));
        assert_eq!(parse_list("zero"), None);
        assert_eq!(parse_list("0-18446744073709551615").map(|all| all.len()), Some(8192));
    }
}
