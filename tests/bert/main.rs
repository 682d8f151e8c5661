//! BERT from files to answers: what is read, what is refused, and what comes out.

mod folder;
mod forward;
mod read;
mod text;

use std::path::PathBuf;

/// A file or folder beside the repository; nothing, and a remark, where it is absent.
fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped, because ../shared/{name} is not there");
    None
}
