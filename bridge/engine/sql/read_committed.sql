-- Lets each statement of this transaction see what was committed before it, whatever the database's default is: after the
-- wait for a lock, that is what matters.
set transaction isolation level read committed
