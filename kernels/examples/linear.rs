//! A linear layer with a GELU: 2 rows of 3 floats through 3 x 2 weights of 8 bits.

use tilewise::{Matrix, MatrixMut, SpinTeam, Team, gemm::Gelu, gemm::Linear};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x = [0.5, 1.0, 1.5, 0.0, -0.5, -1.0];
    let mut y = [0.0; 4];

    let team = SpinTeam::all_cores()?;
    let linear = Linear::new(Matrix::new(&[1, 2, 3, 4, 5, 6], 3, 2)?, &[0.25], Some(&[1.0, 2.0]))?;
    let mut scratch = linear.scratch(2, team.size())?;
    let rows = Matrix::new(&x, 2, 3)?;
    linear.run_then(rows, Gelu, MatrixMut::new(&mut y, 2, 2)?, &mut scratch, &team)?;

    // The GELU of 3.75, 5.5, -0.625 and 0, as nearly as 8 bits can say.
    let expected = [3.7497, 5.5, -0.1662, 0.0];
    assert!(y.iter().zip(expected).all(|(y, expected)| (y - expected).abs() < 0.01), "{y:?}");
    Ok(())
}
