-- Jobs that dead producers left behind. $1 is the time by the database's clock, and $2 since when it is known that producers
-- could reach the database: nobody's silence counts from before that. $3 is the shortest silence of the dead, in seconds.
-- A day is the longest that a node may ask for; what is more, or no number, was written by somebody else.
-- A beat that lies farther ahead than that is from before the clock was set back, and tells nothing. Where it was set back since
-- $1 was read, or this had to wait for a lock meanwhile, nobody's silence is known.
select
  j.id,
  j.queue,
  j.worker,
  case when j.attempt < j.max_attempts then 'available' else 'discarded' end as state,
  p.node,
  p.uuid
from {prefix}.oban_jobs as j
join {prefix}.bridge_producers as p on p.uuid = j.attempted_by[2]
where j.state = 'executing'
  and greatest(
    case
      when p.beat_at <= timezone('UTC', clock_timestamp()) + least(greatest(p.rescue_after, $3), 86400) * interval '1 second'
      then p.beat_at
    end,
    $2::timestamp
  ) + least(greatest(p.rescue_after, $3), 86400) * interval '1 second' < $1::timestamp
  and timezone('UTC', clock_timestamp()) between $1::timestamp and $1::timestamp + $3 * interval '0.5 second'
order by j.id
limit $4
