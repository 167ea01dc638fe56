package store

import "time"

// TakeInvocation counts one more invocation of an account in a region on this day (rule Q-1), or
// reports that limit of them were made. Who else counts for the same account waits for the end of the
// transaction.
func (t *Tx) TakeInvocation(account, region string, limit int) (ok bool, err error) {
	const day = int64(24 * time.Hour / time.Millisecond)
	n, err := t.exec(`insert into daily_invocations as d (account, region, day, made) values ($1, $2, $3, 1)
		on conflict (account, region) do update set
			made = case when d.day < excluded.day then 1 else d.made + 1 end,
			day = case when d.day < excluded.day then excluded.day else d.day end
		where d.day < excluded.day or d.made < $4`,
		account, region, t.Now.UnixMilli()/day, limit)
	return n == 1, err
}

// LockAccount keeps others who lock the same account waiting until the commit: who counts what an
// account has before adding to it.
func (t *Tx) LockAccount(id string) error {
	if t.db.dialect.oneWriter {
		return nil
	}
	_, err := t.exec(`select 1 from accounts where id = $1`+t.db.dialect.forUpdate, id)
	return err
}
