//! Inputs from a seed that any language can make again.
//!
//! Workers in other languages are to multiply the very numbers we do. So inputs are not drawn
//! from a library's generator but computed, place by place, by the output function of SplitMix64
//! (Steele, Lea, Flood 2014): word `i` of stream `s` is `mix(start + (i + 1) g)` with
//! `start = mix(seed + (s + 1) g)`, all in 64 bits that wrap. Any part can be made without the
//! others, in vectors as well as in a loop. `benches/peers/worker.py` has the other copy.

/// 2^64 over the golden ratio, made odd: the step of SplitMix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of 64-bit words.
fn words(seed: u64, stream: u64) -> impl Iterator<Item = u64> {
    let start = mix(seed.wrapping_add((stream + 1).wrapping_mul(STEP)));
    (1..).map(move |place: u64| mix(start.wrapping_add(place.wrapping_mul(STEP))))
}

fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Bytes over their whole range: the words of a stream, least significant byte first.
pub fn bytes(seed: u64, stream: u64, len: usize) -> Vec<u8> {
    // Room for all at once: a vector that grows takes up to twice as much.
    let mut bytes = Vec::with_capacity(len.next_multiple_of(8));
    bytes.extend(words(seed, stream).take(len.div_ceil(8)).flat_map(u64::to_le_bytes));
    bytes.truncate(len);
    bytes
}

/// Numbers from 0 up to but without 1: one a word, its highest 24 bits over 2^24, so that each is
/// exact.
pub fn floats(seed: u64, stream: u64, len: usize) -> Vec<f32> {
    words(seed, stream).take(len).map(|word| (word >> 40) as f32 / (1u32 << 24) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first words of SplitMix64 started at 1234567, as its authors' program prints them.
    #[test]
    fn words_are_those_of_splitmix() {
        let published = [6457827717110365317u64, 3203168211198807973, 9817491932198370423];
        let own = (1..=3u64).map(|place| mix(1234567u64.wrapping_add(place.wrapping_mul(STEP))));
        assert!(own.eq(published));
    }

    /// What the other copy must make: see `benches/peers/worker.py`.
    #[test]
    fn streams_are_what_the_workers_make() {
        assert_eq!(bytes(1, 0, 9), bytes(1, 0, 16)[..9]);
        assert_ne!(bytes(1, 0, 8), bytes(1, 1, 8));
        assert_ne!(bytes(1, 0, 8), bytes(2, 0, 8));
        assert!(floats(1, 0, 1000).iter().all(|value| (0.0..1.0).contains(value)));
        assert_eq!(bytes(1, 0, 8), [30, 97, 57, 116, 8, 171, 65, 94]);
    }
}
