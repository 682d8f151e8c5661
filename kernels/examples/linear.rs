//! A quantised linear layer: 2 rows of 3 activations through 3 x 2 weights.

use tilewise::{Matrix, MatrixMut, SpinTeam, Team, gemm::Lhs, gemm::Linear};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x = [129, 130, 131, 128, 127, 126]; // 128 means zero, one step is 0.5
    let mut y = [0.0; 4];

    let team = SpinTeam::all_cores()?;
    let linear = Linear::new(Matrix::new(&[1, 2, 3, 4, 5, 6], 3, 2)?, &[0.25], Some(&[1.0, 2.0]))?;
    let mut scratch = linear.scratch(2, team.size())?;
    let rows = Lhs::u8(Matrix::new(&x, 2, 3)?, 128);
    linear.run(rows, 0.5, MatrixMut::new(&mut y, 2, 2)?, &mut scratch, &team)?;

    assert_eq!(y, [3.75, 5.5, -0.625, 0.0]);
    Ok(())
}
