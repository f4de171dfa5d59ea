// measure [-runs N] [-raw FILE] -- WORK COMMAND... [-- PEER...]: runs a command, and in
// turn with it its peer, as whole processes; the first run of each is not counted.
// Appends a line per run to FILE and prints one line of figures for the caller:
// minimum, median and maximum in ms and the peak memory in MiB of the command, then of
// the peer, then the median of the ratios pair by pair; a missing peer gives zeros.
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
	peak      float64 // MiB, never less than this process's own
}

func main() {
	runs := flag.Int("runs", 5, "counted runs")
	raw := flag.String("raw", os.DevNull, "file for the raw figures")
	flag.Parse()
	work, command, peer := flag.Arg(0), flag.Args()[1:], []string(nil)
	if at := slices.Index(command, "--"); at >= 0 {
		command, peer = command[:at], command[at+1:]
	}
	file, err := os.OpenFile(*raw, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	check(err)
	var ours, theirs []Run
	for number := 0; number <= *runs; number++ {
		ours = append(ours, once(file, work, "weftctl", number, command))
		if peer != nil {
			theirs = append(theirs, once(file, work, peer[0], number, peer))
		}
	}
	check(file.Close())
	print(ours[1:])
	if peer == nil {
		fmt.Println("0 0 0 0 0")
		return
	}
	print(theirs[1:])
	var ratios []float64
	for pair := range ours[1:] {
		ratios = append(ratios, ours[pair+1].wall/theirs[pair+1].wall)
	}
	fmt.Printf("%.4f\n", median(ratios))
}

func once(raw *os.File, work, side string, number int, arguments []string) Run {
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
	run := Run{
		wall: float64(wall.Microseconds()) / 1000,
		cpu:  float64((state.UserTime() + state.SystemTime()).Microseconds()) / 1000,
		peak: float64(state.SysUsage().(*syscall.Rusage).Maxrss) / 1024,
	}
	if number > 0 {
		_, err = fmt.Fprintf(raw, "%s\t%s\t%d\t%.3f\t%.3f\t%.1f\n", work, filepath.Base(side), number, run.wall, run.cpu, run.peak)
		check(err)
	}
	return run
}

func print(runs []Run) {
	var walls, peaks []float64
	for _, run := range runs {
		walls, peaks = append(walls, run.wall), append(peaks, run.peak)
	}
	fmt.Printf("%.2f %.2f %.2f %.1f ", slices.Min(walls), median(walls), slices.Max(walls), slices.Max(peaks))
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
