//! What a formula may not do is refused by name.

use tilewise::Isa;
use tilewise::cache::CacheSizes;
use tilewise::stencil::{
    Block, Boundary, Error, Extent, Form, Formula, Near, PairedStar, Plan, Recipe, Shape,
};
use tilewise::vector::{FloatExtra, Real};

#[test]
fn what_a_formula_may_not_do_is_refused_by_name() {
    #[derive(Clone, Copy, Debug)]
    struct Corner;
    impl<T: Real> Formula<T> for Corner {
        const NAME: &'static str = "corner";
        const SHAPE: Shape = Shape::Star;
        const DIMENSIONS: usize = 2;
        const RADIUS: usize = 1;
        fn update<S: FloatExtra>(&self, _: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
            near.at(0, [1, -1, 0])
        }
    }
    /// Asks for what only a formula of two fields, two levels and two media has.
    #[derive(Clone, Copy, Debug)]
    struct Second(u8);
    impl<T: Real> Formula<T> for Second {
        const NAME: &'static str = "second";
        const SHAPE: Shape = Shape::Star;
        const DIMENSIONS: usize = 2;
        const RADIUS: usize = 1;
        const MEDIA: usize = 1;
        fn update<S: FloatExtra>(&self, _: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
            match self.0 {
                0 => near.at(1, [0; 3]),
                1 => near.before(0),
                _ => near.medium(1),
            }
        }
    }
    let extent = Extent::plane(9, 9);
    let recipe = Recipe::estimate::<f64>(
        Form::of::<f64, Corner>(),
        extent,
        Isa::Scalar,
        &CacheSizes::ASSUMED,
        1,
    );
    let boundary = [Boundary::Fixed; 3];
    let refused = Plan::<f64>::of(Corner, boundary, extent, Isa::Scalar, recipe).unwrap_err();
    assert!(refused.to_string().contains("corner looks at [1, -1, 0]"), "{refused}");
    for (which, said) in [
        (0, "second asks for field 1, counted from 0; its FIELDS is 1"),
        (1, "second asks for the values before of field 0, counted from 0; its LEVELS is 1"),
        (2, "second asks for medium 1, counted from 0; its MEDIA is 1"),
    ] {
        let refused = Plan::<f64>::of(Second(which), boundary, extent, Isa::Scalar, recipe);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
    for weight in [f64::NAN, f64::INFINITY] {
        let star = PairedStar { centre: 0.5, arms: [[0.1], [weight]] };
        let refused = Plan::of(star, boundary, extent, Isa::Scalar, recipe).map(drop);
        assert!(matches!(refused, Err(Error::Weights { stencil: "a paired star" })));
        // Of a block those that count.
        let block = |[z, y, x]: [usize; 3]| {
            let mut block = Block::<f64, 2, 3>::new(|_| 0.1);
            block.weights[z][y][x] = weight;
            Plan::of(block, boundary, extent, Isa::Scalar, recipe).map(drop)
        };
        assert!(matches!(block([0, 2, 1]), Err(Error::Weights { stencil: "a block" })));
        assert!(block([1, 0, 0]).is_ok() && block([2, 2, 2]).is_ok());
    }
}
