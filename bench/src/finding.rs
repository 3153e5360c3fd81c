//! What was measured, beside what it should be.

use serde::Serialize;

/// One number.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) scenario: &'static str,
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<Goal>,
}

/// What a number should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(goal) => value >= goal,
            Self::AtMost(goal) => value <= goal,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(goal) => format!(">= {}", number(goal)),
            Self::AtMost(goal) => format!("<= {}", number(goal)),
        }
    }
}

/// Findings of a run.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn add(
        &mut self,
        scenario: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        goal: Option<Goal>,
    ) {
        self.0.push(Finding {
            scenario,
            what: what.into(),
            value,
            unit,
            goal,
        });
    }

    /// The value of an earlier finding.
    pub(crate) fn value(&self, scenario: &str, what: &str) -> Option<f64> {
        let found = self.0.iter().rev();
        found
            .into_iter()
            .find(|finding| finding.scenario == scenario && finding.what == what)
            .map(|finding| finding.value)
    }

    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&self.0)
    }

    pub(crate) fn table(&self) -> String {
        let head = ["scenario", "what", "value", "unit", "goal", ""].map(str::to_owned);
        let mut rows = vec![head];
        for finding in &self.0 {
            let verdict = match finding.goal {
                Some(goal) if goal.is_met(finding.value) => "met",
                Some(_) => "missed",
                None => "",
            };
            rows.push([
                finding.scenario.to_owned(),
                finding.what.clone(),
                number(finding.value),
                finding.unit.to_owned(),
                finding.goal.map(Goal::text).unwrap_or_default(),
                verdict.to_owned(),
            ]);
        }
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..6).map(width).collect();
        let mut table = String::new();
        for row in rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                // Numbers end in line.
                let cell = match column {
                    2 => format!("{cell:>width$}  "),
                    _ => format!("{cell:<width$}  "),
                };
                line.push_str(&cell);
            }
            table.push_str(line.trim_end());
            table.push('\n');
        }
        table
    }
}

/// Three digits that matter, thousands apart.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0..1.0 => 3,
        1.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    if digits > 0 {
        return text;
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}

#[test]
fn numbers_are_short_and_columns_align() {
    let cases = [
        (0.1234, "0.123"),
        (4.567, "4.57"),
        (45.67, "45.7"),
        (456.7, "457"),
        (1_234_567.8, "1,234,568"),
        (-12_000.0, "-12,000"),
    ];
    for (value, text) in cases {
        assert_eq!(number(value), text);
    }
    let mut findings = Findings::default();
    findings.add("bare", "rate", 12_345.0, "POST/s", None);
    findings.add("process", "rate", 9.0, "msg/s", Some(Goal::AtLeast(12_000.0)));
    let table = findings.table();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[1].find("POST/s"), lines[2].find("msg/s"));
    assert!(lines[2].ends_with(">= 12,000  missed"), "{table}");
}
