// Loaded before a program: at SIGUSR2 one of its worker threads, by chance, is terminated.
import { atSignal } from './at-signal.mjs'

atSignal(workers => void workers[Math.floor(Math.random() * workers.length)]?.terminate())
