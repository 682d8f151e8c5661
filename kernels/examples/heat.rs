//! A hot ball in a cold box, cooling: the front door of the stencils.

use tilewise::stencil::{Error, Extent, Grid, Stencil};

fn main() -> Result<(), Error> {
    let from_middle = |[x, y, z]: [usize; 3]| x.abs_diff(64) + y.abs_diff(64) + z.abs_diff(64);
    let hot_ball = |at| if from_middle(at) < 20 { 100.0_f32 } else { 0.0 };

    let mut grid = Grid::from_fn(Extent::space(129, 129, 129), hot_ball)?;
    for _ in 0..5 {
        Stencil::heat7(0.15).run(&mut grid, 40)?.stable()?;
        println!("{:5.1} degrees in the middle", grid.row(64, 64)[64]);
    }
    Ok(())
}
