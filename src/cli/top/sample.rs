//! One reading of a bot's `/metrics`, and what changed since an earlier one.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The values of `/metrics` at one time, by name and labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Unix seconds.
    pub at: f64,
    values: BTreeMap<String, Vec<(Labels, f64)>>,
}

type Labels = BTreeMap<String, String>;

/// How long a stage took, over some time.
#[derive(Debug, Clone, PartialEq)]
pub struct StageFigures {
    /// Its name.
    pub name: String,
    /// How many times it ran.
    pub count: f64,
    /// Seconds on average.
    pub mean: f64,
    /// Seconds that half of the runs took at most, within the resolution of the histogram.
    pub median: f64,
    /// Seconds that 99 of 100 runs took at most.
    pub slow: f64,
}

impl Sample {
    /// Reads the text of `/metrics`, leaving out lines of any other form.
    pub fn parse(text: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut values: BTreeMap<String, Vec<(Labels, f64)>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, labels, value)) = parse_line(line) {
                values.entry(name.to_owned()).or_default().push((labels, value));
            }
        }
        Self { at: now, values }
    }

    /// Whether it is of this program.
    pub fn is_of_a_bot(&self) -> bool {
        self.values.contains_key("faceguesser_build_info")
    }

    /// A value without labels; 0 if it is missing.
    pub fn value(&self, name: &str) -> f64 {
        self.series(name).first().map_or(0.0, |(_, value)| *value)
    }

    /// The sums of a metric by one of its labels.
    pub fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (labels, value) in self.series(name) {
            *sums.entry(labels.get(label).cloned().unwrap_or_default()).or_default() += value;
        }
        sums
    }

    /// As [`Sample::by`], of what was counted since `earlier`; since the start of the bot if that is `None` or of an
    /// earlier start.
    pub fn since(&self, earlier: Option<&Self>, name: &str, label: &str) -> BTreeMap<String, f64> {
        let before = self.comparable(earlier).map(|earlier| earlier.by(name, label)).unwrap_or_default();
        let now = self.by(name, label).into_iter();
        now.map(|(key, value)| (key.clone(), value - before.get(&key).unwrap_or(&0.0))).collect()
    }

    /// The time since `earlier`, or since the start of the bot.
    pub fn elapsed(&self, earlier: Option<&Self>) -> Duration {
        let begin = self.comparable(earlier).map_or_else(|| self.value("process_start_time_seconds"), |one| one.at);
        Duration::try_from_secs_f64(self.at - begin).unwrap_or_default()
    }

    /// The version of the bot.
    pub fn version(&self) -> &str {
        let info = self.series("faceguesser_build_info").first();
        info.and_then(|(labels, _)| labels.get("version")).map_or("?", String::as_str)
    }

    /// The stages that ran since `earlier`, in the order in which a photo passes through them.
    pub fn stages(&self, earlier: Option<&Self>) -> Vec<StageFigures> {
        let earlier = self.comparable(earlier);
        crate::observe::Stage::ALL.iter().filter_map(|stage| self.stage(earlier, stage.names().0)).collect()
    }

    fn stage(&self, earlier: Option<&Self>, name: &str) -> Option<StageFigures> {
        let increase = |metric: &str| {
            let of = |sample: &Self| sample.by(metric, "stage").get(name).copied().unwrap_or(0.0);
            of(self) - earlier.map_or(0.0, of)
        };
        let count = increase("faceguesser_stage_seconds_count");
        if count <= 0.0 {
            return None;
        }
        let buckets = |sample: &Self| -> Vec<(f64, f64)> {
            let of_stage = sample.series("faceguesser_stage_seconds_bucket").iter();
            let of_stage = of_stage.filter(|(labels, _)| labels.get("stage").is_some_and(|stage| stage == name));
            of_stage.filter_map(|(labels, value)| Some((labels.get("le")?.parse().ok()?, *value))).collect()
        };
        let before = earlier.map(buckets).unwrap_or_default();
        let buckets = buckets(self).into_iter().map(|(end, value)| {
            let before = before.iter().find(|(other, _)| *other == end).map_or(0.0, |(_, value)| *value);
            (end, value - before)
        });
        let buckets: Vec<_> = buckets.collect();
        Some(StageFigures {
            name: name.to_owned(),
            count,
            mean: increase("faceguesser_stage_seconds_sum") / count,
            median: quantile(&buckets, 0.5),
            slow: quantile(&buckets, 0.99),
        })
    }

    fn series(&self, name: &str) -> &[(Labels, f64)] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    fn comparable<'a>(&self, earlier: Option<&'a Self>) -> Option<&'a Self> {
        let start = |sample: &Self| sample.value("process_start_time_seconds");
        earlier.filter(|earlier| start(earlier) == start(self) && earlier.at < self.at)
    }
}

/// `name{label="value",…} value`. The values of this program's labels have neither commas nor quotes.
fn parse_line(line: &str) -> Option<(&str, Labels, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    let pairs = labels.split(',').filter(|pair| !pair.is_empty());
    let labels = pairs.map(|pair| {
        let (label, value) = pair.split_once('=')?;
        Some((label.to_owned(), value.trim_matches('"').to_owned()))
    });
    Some((name, labels.collect::<Option<_>>()?, value.parse().ok()?))
}

/// A quantile of cumulative buckets (upper end, count), interpolated within its bucket as PromQL's
/// `histogram_quantile` does.
fn quantile(buckets: &[(f64, f64)], quantile: f64) -> f64 {
    let total = buckets.last().map_or(0.0, |(_, count)| *count);
    let rank = quantile * total;
    let (mut begin, mut below) = (0.0, 0.0);
    for (end, count) in buckets {
        if *count >= rank && *count > below {
            return if end.is_finite() { begin + (end - begin) * (rank - below) / (count - below) } else { begin };
        }
        (begin, below) = (*end, *count);
    }
    begin
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKETS: &str = "faceguesser_stage_seconds_bucket";

    fn sample(at: f64, decoded: [u32; 3]) -> Sample {
        let [fast, slow, all] = decoded;
        let text = format!(
            "# TYPE faceguesser_photos counter\n\
             process_start_time_seconds 100.5\n\
             faceguesser_photos_total{{platform=\"web\",outcome=\"guessed\"}} {all}\n\
             faceguesser_photos_total{{platform=\"web\",outcome=\"failed\"}} 1\n\
             faceguesser_stage_seconds_count{{stage=\"decode\"}} {all}\n\
             faceguesser_stage_seconds_sum{{stage=\"decode\"}} {all}\n\
             {BUCKETS}{{le=\"0.001\",stage=\"decode\"}} {fast}\n\
             {BUCKETS}{{le=\"0.002\",stage=\"decode\"}} {slow}\n\
             {BUCKETS}{{le=\"+Inf\",stage=\"decode\"}} {all}\n\
             nonsense\n"
        );
        Sample { at, ..Sample::parse(&text) }
    }

    #[test]
    fn counts_and_times_are_those_since_an_earlier_sample_of_the_same_run() {
        let (early, late) = (sample(110.5, [10, 10, 10]), sample(120.5, [10, 20, 20]));
        assert_eq!(late.by("faceguesser_photos_total", "platform")["web"], 21.0);
        assert_eq!(late.since(Some(&early), "faceguesser_photos_total", "outcome")["guessed"], 10.0);
        assert_eq!(late.elapsed(Some(&early)), Duration::from_secs(10));
        assert_eq!(late.elapsed(None), Duration::from_secs(20));
        let stages = late.stages(Some(&early));
        let [decode] = &stages[..] else { panic!("{stages:?}") };
        assert_eq!((decode.name.as_str(), decode.count, decode.mean), ("decode", 10.0, 1.0));
        assert!((decode.median - 0.0015).abs() < 1e-9, "{decode:?}");
        let restarted =
            Sample::parse("process_start_time_seconds 119\nfaceguesser_photos_total{outcome=\"guessed\"} 2");
        assert_eq!(restarted.since(Some(&late), "faceguesser_photos_total", "outcome")["guessed"], 2.0);
    }
}
