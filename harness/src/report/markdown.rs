//! `report.md`: the same tables as the page, for readers without a browser.

use super::model::Report;
use super::view::View;
use minijinja::value::Serde;

/// Writes the text.
pub fn page(report: &Report) -> String {
    let mut environment = minijinja::Environment::new();
    environment.add_template("page.md", include_str!("page.md")).expect("the template is fine");
    let template = environment.get_template("page.md").expect("it was just added");
    let context = minijinja::context! { view => Serde(View::of(report)) };
    template.render(context).expect("the template uses only what it is given")
}
