import { defineBasicModules } from './basic-modules.ts';
import { describePlan } from './plan.ts';
import { plans } from './plans.ts';

describePlan(plans.basic, 'sqlite', defineBasicModules);
