//! Hit ratios of other policies, computed elsewhere: a table with one row a trace and capacity.

use std::io;
use std::path::Path;

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The trace, whose requests lie in `NAME.u32.gz` beside the table.
    pub trace: String,
    /// The capacity in entries.
    pub entries: u64,
    /// Hit ratios in percent, in the order of [`Table::columns`].
    pub ratios: Vec<f64>,
}

/// The table.
#[derive(Clone, Debug)]
pub struct Table {
    /// The policies that were computed.
    pub columns: Vec<String>,
    /// The traces and capacities.
    pub rows: Vec<Row>,
}

impl Table {
    /// Reads tab-separated lines: a heading `trace entries policy...`, then the rows.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Self::parse(&text).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "not a table of trace, entries and ratios")
        })
    }

    /// Adds a column with the best ratio of each row, but for the optimum's, which is no policy's.
    pub fn add_best(&mut self, name: &str) {
        let optimum = self.column("opt");
        for row in &mut self.rows {
            let policies = row.ratios.iter().enumerate().filter(|&(at, _)| Some(at) != optimum);
            let best = policies.map(|(_, &ratio)| ratio).fold(0.0, f64::max);
            row.ratios.push(best);
        }
        self.columns.push(name.to_owned());
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let columns = lines.next()?.split('\t').skip(2).map(str::to_owned).collect();
        let rows = lines.filter(|line| !line.is_empty()).map(Row::parse).collect::<Option<_>>()?;
        Some(Self { columns, rows })
    }

    /// Where a policy's ratios stand in each row.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let mut cells = line.split('\t');
        let (trace, entries) = (cells.next()?.to_owned(), cells.next()?.parse().ok()?);
        let ratios = cells.map(|cell| cell.parse().ok()).collect::<Option<_>>()?;
        Some(Self { trace, entries, ratios })
    }
}
