#!/usr/bin/env node
import { Command } from 'commander';
import { createDoctorGateway } from './doctor/index.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

await new Command('tessera-cli')
  .description('The command line of a Tessera instance')
  .showHelpAfterError()
  .addCommand(
    new Command('doctor')
      .description('find out what is wrong')
      .addCommand(createDoctorGateway(print, process.env)),
  )
  .parseAsync();
