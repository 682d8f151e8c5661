//! Four groups of points, found again: `cargo run --release --example kmeans`.

use tilewise::kmeans::KMeans;
use tilewise::{Matrix, points::Points};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: Vec<f32> = (0..2000).map(|i| (i % 4 * 10 + i * i % 7) as f32).collect();
    let rows = Matrix::new(&rows, 1000, 2)?;

    let points = Points::from_rows(rows)?;
    let fit = KMeans::new(4).seed(1).fit(&points)?;
    println!("centres {:?}", fit.centres());
    println!("inertia {} after {} iterations", fit.inertia(), fit.iterations());
    println!("the first points belong to {:?}", &fit.predict(rows)?[..8]);
    Ok(())
}
