//! `report.html`: one file with everything in it, nothing to fetch and no scripts.

use super::model::Report;
use super::view::View;
use super::{plot, view};
use crate::picture::Picture;
use crate::roofs::Quantity;
use minijinja::value::Serde;
use serde::Serialize;

/// A kernel's drawings.
#[derive(Serialize)]
struct Figures {
    /// One a cell, in the order of the view.
    ladders: Vec<String>,
    scaling: Option<String>,
}

/// The two pictures as data URIs.
#[derive(Serialize)]
struct Pictures {
    before: String,
    after: String,
}

/// Draws the page. `pictures` are the quantised one's before and after.
pub fn page(report: &Report, pictures: Option<(&Picture, &Picture)>) -> String {
    let figures: Vec<_> = view::kernels(report).map(|kernel| figures(report, kernel)).collect();
    let pictures = pictures.map(|(before, after)| Pictures {
        before: data_uri(&before.png()),
        after: data_uri(&after.png()),
    });
    let mut environment = minijinja::Environment::new();
    environment.add_filter("whole", whole);
    environment.add_template("page.html", include_str!("page.html")).expect("the template is fine");
    let template = environment.get_template("page.html").expect("it was just added");
    let context = minijinja::context! {
        view => Serde(View::of(report)),
        style => include_str!("page.css"),
        figures => Serde(figures),
        rooflines => rooflines(report),
        pictures => Serde(pictures),
    };
    template.render(context).expect("the template uses only what it is given")
}

/// Keeps an interval on one line: `[1.2, 1.3]`.
fn whole(text: &str) -> String {
    let parts = text.split_inclusive(['[', ']']);
    let parts = parts.map(|part| match part.strip_suffix(']') {
        Some(_) => part.replace(' ', "\u{a0}"),
        None => part.to_owned(),
    });
    parts.collect()
}

fn figures(report: &Report, kernel: &str) -> Figures {
    let cells = report.cells_of(kernel);
    Figures {
        ladders: cells.iter().map(|cell| plot::ladder(cell)).collect(),
        scaling: plot::scaling(view::kernel_title(kernel), &cells),
    }
}

fn rooflines(report: &Report) -> Vec<String> {
    let mut threads: Vec<usize> = report.roofs.iter().map(|roof| roof.before.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let kinds = [Quantity::Int8Compute, Quantity::F32Compute];
    let panels = kinds.into_iter().flat_map(|kind| threads.iter().map(move |&n| (kind, n)));
    panels.filter_map(|(kind, threads)| plot::roofline(report, kind, threads)).collect()
}

/// A PNG file inside a link.
fn data_uri(png: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut uri = String::from("data:image/png;base64,");
    for chunk in png.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let there = digit <= chunk.len();
            let value = DIGITS[(bits >> (18 - 6 * digit)) as usize & 63];
            uri.push(if there { char::from(value) } else { '=' });
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    /// Also writes the page where `TILEWISE_SAMPLE_PAGE` says, to be looked at.
    #[test]
    fn the_page_is_whole_and_fetches_nothing() {
        let before = Picture::generate(64, 48, 1);
        let page = page(&sample::report(), Some((&before, &before)));
        assert!(!page.contains("http"), "fetches something");
        assert!(!page.contains("<script"), "has scripts");
        assert!(page.contains("Made-up CPU &lt;9000&gt;"), "escapes what it was given");
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert!(page.matches("<svg").count() >= 4 + 3 + 4, "ladders, scaling, rooflines");
        if let Some(path) = std::env::var_os("TILEWISE_SAMPLE_PAGE") {
            std::fs::write(path, page).expect("the page is written");
        }
    }

    #[test]
    fn intervals_do_not_break() {
        assert_eq!(whole("5 ms [4, 6] of [1, 2] all"), "5 ms [4,\u{a0}6] of [1,\u{a0}2] all");
    }

    #[test]
    fn base64_pads_as_its_rfc_says() {
        for (text, code) in [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(data_uri(text.as_bytes()), format!("data:image/png;base64,{code}"));
        }
    }
}
