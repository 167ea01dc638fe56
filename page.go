package orderly

// A Page is which rows of an ordered list are asked for: those after a place, or from an offset.
type Page struct {
	Limit  int
	Offset int
	After  Place // zero for the start
}

// A Place is a row in an ordered list: the number of what is listed and, for tasks, the ordinal.
type Place struct {
	Seq     int64
	Ordinal int
}
