//! The forms in which /metrics is read.

/// The forms in which Prometheus reads metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own text format, version 0.0.4: what everything reads.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Its content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// OpenMetrics as Prometheus' text format: a counter's description has its full name there, and neither units nor
/// an end are marked.
pub(super) fn to_prometheus(openmetrics: &str) -> String {
    let description = |line: &str| {
        let mut words = line.split(' ');
        let kind = words.nth(1).filter(|_| line.starts_with("# "))?;
        Some((kind.to_owned(), words.next()?.to_owned()))
    };
    let counters: Vec<_> = openmetrics
        .lines()
        .filter(|line| line.starts_with("# TYPE ") && line.ends_with(" counter"))
        .filter_map(description)
        .map(|(_, name)| name)
        .collect();
    let mut text = String::new();
    for line in openmetrics.lines() {
        match description(line) {
            Some((kind, _)) if kind == "UNIT" => {}
            Some((_, name)) if counters.contains(&name) => {
                text += &line.replacen(&name, &format!("{name}_total"), 1);
                text.push('\n');
            }
            None if line.starts_with('#') => {}
            _ => {
                text += line;
                text.push('\n');
            }
        }
    }
    text
}
