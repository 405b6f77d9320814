//! The page that Prometheus reads.

use std::collections::BTreeMap;

use prometheus::{
    TextEncoder,
    proto::{Bucket, Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType, Summary},
};

use super::Histogram;

/// Values of one name, of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// What only grows.
    Counter,
    /// What goes up and down.
    Gauge,
    /// Count and sum.
    Summary,
    /// Counts by size.
    Histogram,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// Of a counter or gauge.
    Number(f64),
    /// Count and sum, of a summary.
    Sum(u64, f64),
    /// Of a histogram.
    Sizes(Histogram),
}

impl From<f64> for Sample {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

macro_rules! from_integers {
    ($($t:ty),*) => {$(
        impl From<$t> for Sample {
            fn from(value: $t) -> Self {
                #[allow(clippy::cast_precision_loss, reason = "the format has no other numbers")]
                Self::Number(value as f64)
            }
        }
    )*};
}

from_integers!(u64, i64, usize, u32, i32);

impl From<bool> for Sample {
    fn from(value: bool) -> Self {
        Self::Number(if value { 1.0 } else { 0.0 })
    }
}

impl From<Histogram> for Sample {
    fn from(value: Histogram) -> Self {
        Self::Sizes(value)
    }
}

/// What is told, by name.
#[derive(Debug, Default)]
pub struct Page(BTreeMap<&'static str, MetricFamily>);

impl Page {
    /// Tells a value.
    pub fn add(&mut self, kind: Family, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: impl Into<Sample>) {
        let family = self.0.entry(name).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(match kind {
                Family::Counter => MetricType::COUNTER,
                Family::Gauge => MetricType::GAUGE,
                Family::Summary => MetricType::SUMMARY,
                Family::Histogram => MetricType::HISTOGRAM,
            });
            family
        });
        family.mut_metric().push(metric(kind, labels, value.into()));
    }

    /// Tells a value that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: impl Into<Sample>) {
        self.add(Family::Gauge, name, help, labels, value);
    }

    /// Tells a value that only grows.
    pub fn counter(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: impl Into<Sample>) {
        self.add(Family::Counter, name, help, labels, value);
    }

    /// The names that are told.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// The page in Prometheus' text format.
    pub fn text(self) -> String {
        let families: Vec<MetricFamily> = self.0.into_values().collect();
        TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            tracing::error!(target: "metrics", %error, "there is no page");
            String::new()
        })
    }
}

fn metric(kind: Family, labels: &[(&str, &str)], value: Sample) -> Metric {
    let mut metric = Metric::default();
    let label = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    metric.set_label(labels.iter().map(label).collect());
    match (kind, value) {
        (Family::Counter, Sample::Number(value)) => {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
        (_, Sample::Number(value)) => {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        (_, Sample::Sum(count, sum)) => {
            let mut summary = Summary::default();
            summary.set_sample_count(count);
            summary.set_sample_sum(sum);
            metric.set_summary(summary);
        }
        (_, Sample::Sizes(sizes)) => {
            let bucket = |(bound, count)| {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(count);
                bucket
            };
            let mut histogram = prometheus::proto::Histogram::default();
            histogram.set_bucket(sizes.buckets().map(bucket).collect());
            histogram.set_sample_count(sizes.count());
            histogram.set_sample_sum(sizes.sum());
            metric.set_histogram(histogram);
        }
    }
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_names_kinds_and_labels() {
        let mut page = Page::default();
        page.counter("b_total", "Bees.", &[("hive", "a\"b")], 2u64);
        page.gauge("a", "An a.", &[], -1i64);
        page.add(Family::Summary, "c", "", &[], Sample::Sum(3, 1.5));
        let mut sizes = Histogram::new([1.0, 3.0]);
        sizes.observe(2.0);
        page.add(Family::Histogram, "d", "", &[], sizes);
        let expected = "# HELP a An a.\n# TYPE a gauge\na -1\n# HELP b_total Bees.\n# TYPE b_total counter\nb_total{hive=\"a\\\"b\"} 2\n\
                        # TYPE c summary\nc_sum 1.5\nc_count 3\n\
                        # TYPE d histogram\nd_bucket{le=\"1\"} 0\nd_bucket{le=\"3\"} 1\nd_bucket{le=\"+Inf\"} 1\nd_sum 2\nd_count 1\n";
        assert_eq!(page.text(), expected);
    }
}
