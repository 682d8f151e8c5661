//! Values of flags: read, or refused in words.

use std::num::{IntErrorKind, ParseIntError};
use std::time::Duration;
use tilewise::Isa;
use tilewise::stencil::Extent;

/// A number of things. Zero passes: whoever counts them knows the range and names it.
pub(in crate::cli) fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => format!("expected a whole number, at most {}", usize::MAX),
        _ => "expected a whole number, 1 or more".into(),
    })
}

/// What random inputs are made from.
pub(in crate::cli) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number, 0 to {}", u64::MAX))
}

/// The help of `--isa`: what there is differs from build to build.
pub(in crate::cli) fn isa_help() -> String {
    let names: Vec<&str> = Isa::compiled().map(Isa::name).collect();
    format!("Instruction set to use: {} [default: the best there is]", names.join(", "))
}

/// `X`, `X,Y` or `X,Y,Z`.
pub(super) fn grid(text: &str) -> Result<Extent, String> {
    let sizes: Result<Vec<usize>, _> = text.split(',').map(|size| size.trim().parse()).collect();
    match sizes.as_deref() {
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
            Err(format!("expected whole numbers, at most {}", usize::MAX))
        }
        Ok([x]) => Ok(Extent::line(*x)),
        Ok([x, y]) => Ok(Extent::plane(*x, *y)),
        Ok([x, y, z]) => Ok(Extent::space(*x, *y, *z)),
        _ => Err("expected one to three whole numbers, as in 512,512,512".into()),
    }
}

/// A number to compute with.
pub(super) fn number(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "expected a number, as in 0.125".into())
}

/// `500ms`, `10s`, `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a positive number with ms, s or m behind it, as in 10s".to_owned();
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0)];
    let found = units.iter().find_map(|(name, seconds)| Some((text.strip_suffix(name)?, seconds)));
    let (number, unit) = found.ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let seconds = Some(number * unit).filter(|seconds| *seconds > 0.0 && *seconds < 1e6);
    seconds.map(Duration::from_secs_f64).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_all_numbers_of_64_bits() {
        assert_eq!((seed("0"), seed("18446744073709551615")), (Ok(0), Ok(u64::MAX)));
        for wrong in ["", "-1", "18446744073709551616", "1.5", "many"] {
            let said = seed(wrong).expect_err(wrong);
            assert_eq!(said, "expected a whole number, 0 to 18446744073709551615");
        }
    }

    #[test]
    fn durations_and_grids_are_read_or_refused() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["10", "s", "-1s", "0s", "nans", "infs", "1h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(grid("4"), Ok(Extent::line(4)));
        assert_eq!(grid("4,5"), Ok(Extent::plane(4, 5)));
        assert_eq!(grid("4,5,6"), Ok(Extent::space(4, 5, 6)));
        for wrong in ["4,5,6,7", "4,x", "", "-4,5", "4,99999999999999999999"] {
            assert!(grid(wrong).is_err(), "{wrong}");
        }
        assert_eq!(number(" -1e-3"), Ok(-1e-3));
        for wrong in ["", "abc", "nan", "inf", "1,5"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }
}
