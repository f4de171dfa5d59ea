// measure [-runs N] [-raw FILE] [-before COMMAND] -- WORK COMMAND... [-- PEER...]...:
// runs a command, and in turn with it its peers, as whole processes; the first run of each
// is not counted. COMMAND runs in a shell before each of them, outside of the time. Appends
// a line per run to FILE, and prints one line of figures for the command and one for each
// peer: the program's name, minimum, median and maximum in ms, the peak memory in MiB, and
// the median of the ratios pair by pair, the command's time over this one's.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Run is what one process took.
type Run struct {
	wall, cpu float64 // ms
	peak      float64 // MiB, of the largest process; never less than this one's own
}

// Side is the command, or one of its peers.
type Side struct {
	name      string
	arguments []string
	runs      []Run
}

func main() {
	runs := flag.Int("runs", 5, "counted runs")
	raw := flag.String("raw", os.DevNull, "file for the raw figures")
	before := flag.String("before", "", "what a shell runs before each process")
	flag.Parse()
	work := flag.Arg(0)
	var sides []*Side
	for rest := flag.Args()[1:]; len(rest) > 0; {
		end := slices.Index(rest, "--")
		if end < 0 {
			end = len(rest)
		}
		sides = append(sides, &Side{name: filepath.Base(rest[0]), arguments: rest[:end]})
		rest = rest[min(end+1, len(rest)):]
	}
	file, err := os.OpenFile(*raw, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	check(err)
	for number := 0; number <= *runs; number++ {
		for _, side := range sides {
			if *before != "" {
				once([]string{"bash", "-c", *before})
			}
			run := once(side.arguments)
			if number == 0 {
				continue
			}
			side.runs = append(side.runs, run)
			_, err = fmt.Fprintf(file, "%s\t%s\t%d\t%.3f\t%.3f\t%.1f\n", work, side.name, number, run.wall, run.cpu, run.peak)
			check(err)
		}
	}
	check(file.Close())
	for _, side := range sides {
		side.print(sides[0].runs)
	}
}

func once(arguments []string) Run {
	var complaint bytes.Buffer
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Stderr = &complaint
	start := time.Now()
	err := command.Run()
	wall := time.Since(start)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n%s", arguments, err, complaint.Bytes())
		os.Exit(1)
	}
	state := command.ProcessState
	return Run{
		wall: float64(wall.Microseconds()) / 1000,
		cpu:  float64((state.UserTime() + state.SystemTime()).Microseconds()) / 1000,
		peak: float64(state.SysUsage().(*syscall.Rusage).Maxrss) / 1024,
	}
}

func (side *Side) print(ours []Run) {
	var walls, peaks, ratios []float64
	for number, run := range side.runs {
		walls, peaks = append(walls, run.wall), append(peaks, run.peak)
		ratios = append(ratios, ours[number].wall/run.wall)
	}
	fmt.Printf("%s %.2f %.2f %.2f %.1f %.4f\n", side.name, slices.Min(walls), median(walls), slices.Max(walls), slices.Max(peaks), median(ratios))
}

func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
