//! Orders in which the arms of a session take their turns.

/// Orders for `arms` arms, to be used one a round and then again from the first, such that over
/// all of them every arm stands equally often in each place, and equally often directly behind
/// each other arm.
///
/// The second matters for vector code: a core may stay at a lower clock for a while after wide
/// instructions, so an arm pays for its predecessor. This is a Williams design: one Latin square
/// of a zigzag for an even number of arms (ABBA for two), for an odd number the square and its
/// mirror image.
///
/// ```
/// use tilewise_tuner::measure::balanced;
/// assert_eq!(balanced(2), [[0, 1], [1, 0]]);
/// assert_eq!(balanced(4), [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]);
/// ```
pub fn balanced(arms: usize) -> Vec<Vec<usize>> {
    // 0, 1, n-1, 2, n-2, ...: all differences between neighbours are different.
    let zigzag = (0..arms).map(|i| if i % 2 == 1 { i.div_ceil(2) } else { arms - i / 2 });
    let mut orders: Vec<Vec<usize>> =
        (0..arms).map(|shift| zigzag.clone().map(|arm| (arm + shift) % arms).collect()).collect();
    if arms % 2 == 1 && arms > 1 {
        let mirrored: Vec<_> = orders.iter().map(|o| o.iter().rev().copied().collect()).collect();
        orders.extend(mirrored);
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::balanced;

    /// Counts, over all orders, what `key` makes of each place; all counts must be equal.
    fn assert_even(arms: usize, keys: usize, key: impl Fn(&[usize]) -> Vec<usize>) {
        let mut counts = vec![0; keys];
        for order in balanced(arms) {
            key(&order).into_iter().for_each(|key| counts[key] += 1);
        }
        let seen: Vec<_> = counts.into_iter().filter(|&count| count > 0).collect();
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{arms} arms: {seen:?}");
    }

    #[test]
    fn every_arm_stands_equally_often_in_each_place_and_behind_each_other_arm() {
        for n in 1..=17 {
            for order in balanced(n) {
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert!(sorted.into_iter().eq(0..n), "{order:?}");
            }
            assert_even(n, n * n, |o| o.iter().enumerate().map(|(at, arm)| at * n + arm).collect());
            assert_even(n, n * n, |o| o.windows(2).map(|pair| pair[0] * n + pair[1]).collect());
        }
    }
}
