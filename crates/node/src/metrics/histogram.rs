//! Counts of values by size.

/// How many values were seen up to each bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    bounds: Vec<f64>,
    /// By bound, not summed up; one more for what is larger than all.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// None seen yet.
    pub fn new(bounds: impl IntoIterator<Item = f64>) -> Self {
        let bounds: Vec<f64> = bounds.into_iter().collect();
        let counts = vec![0; bounds.len() + 1];
        Self { bounds, counts, sum: 0.0 }
    }

    /// Values of which it is known how many fell to each bound, and their sum.
    pub fn counted(bounds: impl IntoIterator<Item = f64>, counts: Vec<u64>, sum: f64) -> Self {
        Self { bounds: bounds.into_iter().collect(), counts, sum }
    }

    /// Bounds at equal distances. Source: prometheus/client_golang, `LinearBuckets`.
    pub fn linear(first: f64, step: f64, count: u32) -> impl Iterator<Item = f64> {
        (0..count).map(move |i| first + step * f64::from(i))
    }

    /// Bounds with equal ratios. Source: prometheus/client_golang, `ExponentialBuckets`.
    pub fn exponential(first: f64, ratio: f64, count: u32) -> impl Iterator<Item = f64> {
        std::iter::successors(Some(first), move |last| Some(last * ratio)).take(count as usize)
    }

    /// Counts a value.
    pub fn observe(&mut self, value: f64) {
        let place = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum += value;
    }

    /// Values up to each bound.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let sums = self.counts.iter().scan(0u64, |sum, count| {
            *sum = sum.saturating_add(*count);
            Some(*sum)
        });
        self.bounds.iter().copied().zip(sums)
    }

    /// How many were seen.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_count_for_every_bound_that_they_do_not_exceed() {
        let mut seen = Histogram::new(Histogram::linear(1.0, 10.0, 3));
        for value in [0.5, 1.0, 12.0, 99.0] {
            seen.observe(value);
        }
        assert_eq!(seen.buckets().collect::<Vec<_>>(), [(1.0, 2), (11.0, 2), (21.0, 3)]);
        assert_eq!((seen.count(), seen.sum()), (4, 112.5));
        assert_eq!(Histogram::exponential(1.0, 3.0, 4).collect::<Vec<_>>(), [1.0, 3.0, 9.0, 27.0]);
    }
}
