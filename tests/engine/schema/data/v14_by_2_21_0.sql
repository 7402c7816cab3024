-- How 2.21.0 went from 13 to 14: a new type, a new column in the place of the old one, and the indexes of the old one gone.
alter type {prefix}.oban_job_state rename to oban_job_state_old;

create type {prefix}.oban_job_state as enum (
  'available', 'suspended', 'scheduled', 'executing', 'retryable', 'completed', 'discarded', 'cancelled'
);

alter table {prefix}.oban_jobs
  add column new_state {prefix}.oban_job_state not null default 'available';

update {prefix}.oban_jobs
set new_state = state::text::{prefix}.oban_job_state;

alter table {prefix}.oban_jobs
  drop column state;

alter table {prefix}.oban_jobs
  rename column new_state to state;

drop type {prefix}.oban_job_state_old;

comment on table {prefix}.oban_jobs is '14';
