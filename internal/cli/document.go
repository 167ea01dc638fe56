package cli

// A reported result is a Result with the names of the API.
type reported struct {
	InstanceId       string
	InstanceName     string
	InvocationStatus string
	ExitCode         *int64 `json:",omitempty"`
	ErrorCode        string
	ErrorInfo        string
	Output           string
	Dropped          int64
	StartTime        string
	FinishedTime     string
	Repeats          int    `json:",omitempty"` // of a late one
	ReceivedTime     string `json:",omitempty"` // the same
}

// A reportDocument is a report with the names of the API.
type reportDocument struct {
	InvokeId          string
	InvocationStatus  string
	InvocationResults []reported
	LateResults       []reported
}

func (r *Report) document() reportDocument {
	return reportDocument{r.InvokeID, r.Status, reportedOf(r.Results), reportedOf(r.Late)}
}

func reportedOf(list []Result) []reported {
	all := make([]reported, len(list))
	for i := range list {
		r := &list[i]
		all[i] = reported{
			r.Instance, r.Name, r.Status, r.ExitCode, r.ErrorCode, r.ErrorInfo, r.Output, r.Dropped, r.Started, r.Finished, r.Repeats, r.Received,
		}
	}
	return all
}
