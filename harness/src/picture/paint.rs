//! The painted landscape: smooth gradients, hard edges, fine grain, and a mirror, so that its
//! colours crowd and spread as a photograph's do.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

type Colour = [f32; 3];

const ZENITH: Colour = [0.13, 0.17, 0.38];
const HORIZON: Colour = [0.98, 0.66, 0.42];
const GLOW: Colour = [1.0, 0.86, 0.58];
const HAZE: Colour = [0.72, 0.50, 0.52];
const FOREST: Colour = [0.05, 0.09, 0.10];
const WATER: Colour = [0.08, 0.14, 0.24];

/// Where the lake begins, as a fraction of the height.
const SHORE: f32 = 0.68;
const RIDGES: usize = 5;

/// Paints `width * height` pixels of three bytes.
pub(super) fn landscape(width: usize, height: usize, seed: u64) -> Vec<u8> {
    let scene = Scene::new(width, height, seed);
    let mut grain = Pcg64Mcg::seed_from_u64(seed ^ 0x6772_6169_6e00);
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let colour = scene.colour(x as f32, y as f32);
            let bits = grain.next_u64();
            for (channel, value) in colour.into_iter().enumerate() {
                // Two bytes summed: a triangular grain of about two steps of 255.
                let pair = (bits >> (16 * channel)) as u16;
                let noise = f32::from(pair as u8) + f32::from((pair >> 8) as u8) - 255.0;
                rgb.push((value * 255.0 + noise * 0.02).round().clamp(0.0, 255.0) as u8);
            }
        }
    }
    rgb
}

/// What does not change from pixel to pixel.
struct Scene {
    width: f32,
    height: f32,
    sun: (f32, f32),
    /// Height of each ridge above the shore at every column, far to near.
    ridges: Vec<Vec<f32>>,
    noise: Noise,
}

impl Scene {
    fn new(width: usize, height: usize, seed: u64) -> Scene {
        let noise = Noise::new(seed);
        let ridges = (0..RIDGES).map(|ridge| {
            let near = ridge as f32 / (RIDGES - 1) as f32;
            (0..width)
                .map(|x| {
                    let at = x as f32 / width.max(1) as f32;
                    let shape = noise.fractal(at * (2.0 + 2.5 * near), 17.0 * ridge as f32, 6);
                    (0.40 - 0.34 * near) * (0.35 + 0.9 * shape)
                })
                .collect()
        });
        Scene {
            width: width as f32,
            height: height as f32,
            sun: (0.34, 0.44),
            ridges: ridges.collect(),
            noise,
        }
    }

    fn colour(&self, x: f32, y: f32) -> Colour {
        let v = y / self.height;
        if v < SHORE {
            return self.above(x, v);
        }
        // The mirror image, stretched, rippled more towards the viewer and darkened by the water.
        let depth = (v - SHORE) / (1.0 - SHORE);
        let ripple = self.noise.fractal(x / self.width * 9.0, depth * 60.0, 3) - 0.5;
        let mirrored = SHORE - (v - SHORE) * 1.6 + ripple * 0.06 * depth;
        let at = (x + ripple * 0.10 * depth * self.width).clamp(0.0, self.width - 1.0);
        let seen = self.above(at, mirrored.clamp(0.0, SHORE));
        mix(seen, WATER, 0.25 + 0.4 * depth)
    }

    /// The scene above the shore, at column `x` and `v` of the height from the top.
    fn above(&self, x: f32, v: f32) -> Colour {
        let up = (SHORE - v).max(0.0);
        let column = (x as usize).min(self.ridges[0].len().saturating_sub(1));
        let nearest = (0..RIDGES).rev().find(|&ridge| up < self.ridges[ridge][column]);
        match nearest {
            None => self.sky(x, v),
            Some(ridge) => {
                let near = ridge as f32 / (RIDGES - 1) as f32;
                let texture = self.noise.fractal(x / self.width * 40.0, v * 50.0, 4);
                let base = mix(HAZE, FOREST, near.powf(0.7));
                // Mist gathers in the valleys between the ridges.
                let mist = (1.0 - up / self.ridges[ridge][column]).powi(3) * 0.45 * (1.0 - near);
                let lit = base.map(|value| value * (0.82 + 0.36 * texture));
                mix(lit, HORIZON, mist)
            }
        }
    }

    fn sky(&self, x: f32, v: f32) -> Colour {
        let (across, down) = (x / self.width - self.sun.0, v - self.sun.1);
        let distance = (across * across * 2.2 + down * down).sqrt();
        let mut colour = mix(ZENITH, HORIZON, (v / SHORE).powf(1.4));
        colour = mix(colour, GLOW, (-distance * 5.0).exp());
        let cloud = self.noise.fractal(x / self.width * 4.0, v * 16.0, 5);
        colour = mix(colour, HAZE, ((cloud - 0.52) * 4.0).clamp(0.0, 0.6) * (1.0 - v));
        mix(colour, [1.0, 0.97, 0.88], ((0.035 - distance) * 200.0).clamp(0.0, 1.0))
    }
}

/// The colour of a heat from 0 to 1: night, violet, ember, gold, white.
pub(super) fn heat(share: f64) -> [u8; 3] {
    const STOPS: [Colour; 5] = [
        [0.04, 0.03, 0.12],
        [0.35, 0.08, 0.42],
        [0.82, 0.26, 0.24],
        [0.98, 0.70, 0.25],
        [1.0, 0.98, 0.90],
    ];
    let at = share.clamp(0.0, 1.0) as f32 * (STOPS.len() - 1) as f32;
    let below = (at as usize).min(STOPS.len() - 2);
    mix(STOPS[below], STOPS[below + 1], at - below as f32).map(|value| (value * 255.0) as u8)
}

fn mix(from: Colour, to: Colour, share: f32) -> Colour {
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

/// Value noise: random heights on a lattice, smoothly joined, summed over octaves.
struct Noise {
    heights: Vec<f32>,
}

impl Noise {
    const SIDE: usize = 256;

    fn new(seed: u64) -> Noise {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let heights = (0..Self::SIDE * Self::SIDE)
            .map(|_| (random.next_u64() >> 40) as f32 / (1u64 << 24) as f32)
            .collect();
        Noise { heights }
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        let cell = |v: f32| (v.floor() as i64).rem_euclid(Self::SIDE as i64) as usize;
        let smooth = |v: f32| {
            let t = v - v.floor();
            t * t * (3.0 - 2.0 * t)
        };
        let (left, top) = (cell(x), cell(y));
        let (right, bottom) = ((left + 1) % Self::SIDE, (top + 1) % Self::SIDE);
        let height = |x: usize, y: usize| self.heights[y * Self::SIDE + x];
        let between = |a: f32, b: f32, t: f32| a + (b - a) * t;
        let (across, down) = (smooth(x), smooth(y));
        between(
            between(height(left, top), height(right, top), across),
            between(height(left, bottom), height(right, bottom), across),
            down,
        )
    }

    /// In 0..1, each octave twice as fine and half as high.
    fn fractal(&self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut weight, mut scale) = (0.0, 0.5, 1.0);
        for _ in 0..octaves {
            sum += weight * self.at(x * scale, y * scale);
            weight *= 0.5;
            scale *= 2.0;
        }
        sum
    }
}
