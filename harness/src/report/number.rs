//! Numbers as people read them: units that fit, and no more digits than were measured.

use tilewise_tuner::measure::{Estimate, Ratio};

/// Seconds in the unit that leaves one to three digits before the point.
pub(crate) fn seconds(value: f64) -> String {
    let (scale, unit) = time_unit(value);
    format!("{} {unit}", digits(value * scale))
}

/// Milliseconds, for lists in which all are to have the same unit.
pub(crate) fn milliseconds(seconds: f64) -> String {
    format!("{} ms", digits(seconds * 1e3))
}

/// `0.604 G`: an amount of work in the billions that rates are given in, smaller ones in millions.
pub(crate) fn amount(value: f64) -> String {
    match value {
        value if value >= 0.0995e9 => format!("{} G", digits(value / 1e9)),
        value => format!("{} M", digits(value / 1e6)),
    }
}

/// `36.2 ms [36.0, 36.5]`, both in the same unit.
pub fn time(estimate: &Estimate) -> String {
    let (scale, unit) = time_unit(estimate.median);
    format!("{} {unit} {}", digits(estimate.median * scale), span(estimate, scale))
}

/// `850 [846, 853]`, in whatever unit the column has.
pub(crate) fn plain(estimate: &Estimate) -> String {
    format!("{} {}", digits(estimate.median), span(estimate, 1.0))
}

/// `4.12x [4.08, 4.17]`.
pub(crate) fn ratio(ratio: &Ratio) -> String {
    format!("{} [{}, {}]", factor(ratio.median), digits(ratio.lo), digits(ratio.hi))
}

/// The same, and what the rounds say that were not marked as disturbed, where they differ by a
/// hundredth: `1.80× [1.10, 1.90], undisturbed 1.92×`.
pub(crate) fn with_quiet(ratio: &Ratio) -> String {
    let all = self::ratio(ratio);
    let differs = |quiet: &Estimate| (quiet.median / ratio.median - 1.0).abs() >= 0.01;
    match ratio.quiet.filter(differs) {
        Some(quiet) => format!("{all}, undisturbed {}", factor(quiet.median)),
        None => all,
    }
}

/// `4.12× [4.08, 4.17] (faster)`.
pub(crate) fn verdict(ratio: &Ratio) -> String {
    format!("{} ({})", with_quiet(ratio), ratio.verdict)
}

/// `4.12×`.
pub(crate) fn factor(value: f64) -> String {
    format!("{}×", digits(value))
}

/// `85.1 % [84.9, 85.3]`.
pub(crate) fn share(estimate: &Estimate) -> String {
    format!("{} % {}", digits(estimate.median * 100.0), span(estimate, 100.0))
}

/// A share without its interval, for captions that have it elsewhere.
pub(crate) fn percent(value: f64) -> String {
    format!("{} %", digits(value * 100.0))
}

/// `1 thread`, `2 threads`.
pub(crate) fn threads(count: usize) -> String {
    format!("{count} thread{}", if count == 1 { "" } else { "s" })
}

fn span(estimate: &Estimate, scale: f64) -> String {
    format!("[{}, {}]", digits(estimate.lo * scale), digits(estimate.hi * scale))
}

fn time_unit(value: f64) -> (f64, &'static str) {
    [(1.0, "s"), (1e3, "ms"), (1e6, "µs")]
        .into_iter()
        .find(|(scale, _)| value * scale >= 0.9995)
        .unwrap_or((1e9, "ns"))
}

/// Three significant digits, more only where there are more before the point.
pub fn digits(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        return "unknown".into();
    }
    // The borders are where rounding adds a digit.
    let decimals = match magnitude {
        m if m >= 99.95 => 0,
        m if m >= 9.995 => 1,
        m if m >= 0.9995 => 2,
        m if m >= 0.09995 => 3,
        m if m >= 0.009995 => 4,
        0.0 => 0,
        _ => return format!("{value:.2e}"),
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_fitting_unit() {
        assert_eq!(seconds(0.0362), "36.2 ms");
        assert_eq!(seconds(0.9999), "1.00 s");
        assert_eq!(seconds(2.5e-7), "250 ns");
        assert_eq!(milliseconds(0.154_481), "154 ms");
        assert_eq!(amount(6.039_797_76e8), "0.604 G");
        assert_eq!(amount(1_048_576.0), "1.05 M");
        assert_eq!(digits(1234.5), "1234");
        assert_eq!(digits(99.96), "100");
        assert_eq!(digits(0.0), "0");
        assert_eq!(digits(0.5), "0.500");
        assert_eq!(digits(0.012_639), "0.0126");
        assert_eq!(digits(0.000_632_1), "6.32e-4");
        let estimate = Estimate { median: 0.0102, lo: 0.0099, hi: 0.0104, rounds: 6 };
        assert_eq!(time(&estimate), "10.2 ms [9.90, 10.4]");
    }
}
