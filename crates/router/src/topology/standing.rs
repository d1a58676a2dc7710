//! What a server says of its replication: the section of that name in `INFO`.

/// Where a server stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether it takes writes.
    pub(crate) leads: bool,
    /// Whether it hears from its primary; true of a primary.
    pub(crate) linked: bool,
    /// Whose writes its offset counts.
    pub(crate) history: String,
    /// How many bytes of that it has done.
    pub(crate) offset: u64,
}

impl Standing {
    /// What the text says; `None` if it says too little.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let leads = field("role")? == "master";
        let offset = if leads { field("master_repl_offset") } else { field("slave_repl_offset") };
        Some(Self {
            leads,
            linked: leads || field("master_link_status") == Some("up"),
            history: field("master_replid")?.to_owned(),
            // A replica that has never had a primary says -1.
            offset: offset?.parse().unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Standing;

    #[test]
    fn a_primary_and_its_replica_say_where_they_stand() {
        let primary = "# Replication\r\nrole:master\r\nconnected_slaves:1\r\nmaster_replid:ab\r\n\
                       master_repl_offset:70\r\n";
        let replica = "# Replication\r\nrole:slave\r\nmaster_link_status:up\r\n\
                       slave_read_repl_offset:80\r\nslave_repl_offset:60\r\nmaster_replid:ab\r\n\
                       master_repl_offset:60\r\n";
        let standing =
            |leads, offset| Standing { leads, linked: true, history: "ab".into(), offset };
        assert_eq!(Standing::parse(primary), Some(standing(true, 70)));
        assert_eq!(Standing::parse(replica), Some(standing(false, 60)));
        let down = replica.replace("status:up", "status:down").replace(":60", ":-1");
        let down = Standing::parse(&down).unwrap();
        assert_eq!((down.linked, down.offset), (false, 0));
        assert_eq!(Standing::parse("role:master"), None);
        assert_eq!(Standing::parse(""), None);
    }
}
