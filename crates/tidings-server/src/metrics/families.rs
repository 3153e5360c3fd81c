use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::names::{Kind, Metric};

/// How much there is of something.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Count(u64),
    Time(Duration),
}

impl From<u64> for Number {
    fn from(count: u64) -> Self {
        Number::Count(count)
    }
}

impl From<Duration> for Number {
    fn from(time: Duration) -> Self {
        Number::Time(time)
    }
}

/// Writes metrics one after the other, each with all the values of its labels.
pub(super) struct Families<'a>(pub(super) DescriptorEncoder<'a>);

impl Families<'_> {
    /// A metric without labels.
    pub(super) fn one(&mut self, metric: &Metric, number: impl Into<Number>) -> fmt::Result {
        debug_assert!(metric.labels.is_empty(), "{} has labels", metric.name);
        let encoder = self
            .0
            .encode_descriptor(metric.name, metric.help, None, kind(metric))?;
        write(metric, number.into(), encoder)
    }

    /// A metric with the values of its labels, in their order.
    pub(super) fn all<'v, const N: usize>(
        &mut self,
        metric: &Metric,
        values: impl IntoIterator<Item = ([&'v str; N], impl Into<Number>)>,
    ) -> fmt::Result {
        debug_assert_eq!(metric.labels.len(), N, "{} has other labels", metric.name);
        let mut family = self
            .0
            .encode_descriptor(metric.name, metric.help, None, kind(metric))?;
        for (words, number) in values {
            let labels: Vec<(&str, &str)> = metric.labels.iter().copied().zip(words).collect();
            write(metric, number.into(), family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn kind(metric: &Metric) -> MetricType {
    match metric.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
    }
}

fn write(metric: &Metric, number: Number, encoder: MetricEncoder<'_>) -> fmt::Result {
    match (metric.kind, number) {
        (Kind::Counter, Number::Count(count)) => ConstCounter::new(count).encode(encoder),
        (Kind::Counter, Number::Time(time)) => ConstCounter::new(time.as_secs_f64()).encode(encoder),
        (Kind::Gauge, Number::Count(count)) => ConstGauge::new(count).encode(encoder),
        (Kind::Gauge, Number::Time(time)) => ConstGauge::new(time.as_secs_f64()).encode(encoder),
    }
}
